// N1, N2, N3, N5: the same checks as in `npm test`, as rows of the table.
import { checkSupplyChain } from "../../scripts/check-supply-chain.mjs";
import { repository } from "../../scripts/workspace.mjs";

console.log(JSON.stringify(checkSupplyChain(repository)));
