// A program whose only reason to go on is the answer of a provider: its time limit keeps no process alive.
import { createHttpProvider } from "../src/http.ts";
import { soon } from "./soon.ts";

const provider = createHttpProvider({ url: `${process.argv[2]}/{name}`, env: {} });
const { status } = await provider.lookup({ path: "db", format: "text" }, soon());
await provider.close();
console.log(status);
