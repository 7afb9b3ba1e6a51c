// A program whose only reason to go on is the answer of a provider: its time limit keeps no process alive.
import { createHttpProvider } from "../src/http.ts";

const provider = createHttpProvider({ url: `${process.argv[2]}/{name}`, env: {} });
const limits = { signal: AbortSignal.timeout(5000), deadline: Date.now() + 5000 };
const { status } = await provider.lookup({ path: "db", format: "text" }, limits);
await provider.close();
console.log(status);
