// Brings the licence and the contract here from the repository, before the package is packed. An archive has them already.

import { copyFileSync, cpSync } from "node:fs";

const here = new URL("../", import.meta.url);
const repository = new URL("../../", here);
copyFileSync(new URL("LICENSE", repository), new URL("LICENSE", here));
for (const name of ["tool", "kubernetes"]) cpSync(new URL(`wit/${name}`, repository), new URL(`wit/${name}`, here), { recursive: true });
