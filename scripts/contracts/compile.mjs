// Compiles the contracts that packages have as source only, once: Aerodrome's pools and their router, and Slipstream,
// its pools of concentrated liquidity. The first argument is the directory with node_modules; artifacts go to compiled/
// next to it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Worker, isMainThread, workerData } from "node:worker_threads";

const SETS = [
    {
        compiler: "solc-0.7.6",
        base: "sphere-mezo-solidity-files/domains/aerodrome-slipstream/contracts",
        files: [
            "core/CLFactory.sol",
            "core/CLPool.sol",
            "periphery/SwapRouter.sol",
            "periphery/NonfungiblePositionManager.sol",
            "periphery/lens/QuoterV2.sol",
        ],
        remappings: [],
    },
    {
        compiler: "solc-0.8.24",
        base: "sphere-mezo-solidity-files/domains/aerodrome/contracts",
        files: ["Pool.sol", "Router.sol", "factories/PoolFactory.sol", "factories/FactoryRegistry.sol"],
        // Another version than the one that other packages use by this name.
        remappings: ["@openzeppelin/contracts/=openzeppelin-5/"],
    },
];

function compile(root, { compiler, base, files, remappings }) {
    const modules = path.join(root, "node_modules");
    const solc = createRequire(path.join(root, "package.json"))(compiler);
    const sources = {};
    for (const file of files) {
        const name = path.join(base, file);
        sources[name] = { content: readFileSync(path.join(modules, name), "utf8") };
    }
    const input = {
        language: "Solidity",
        sources,
        settings: {
            remappings,
            optimizer: { enabled: true, runs: 200 },
            outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object"] } },
        },
    };
    const load = (name) => {
        const found = path.join(modules, name);
        return existsSync(found) ? { contents: readFileSync(found, "utf8") } : { error: `no ${name}` };
    };
    const output = JSON.parse(solc.compile(JSON.stringify(input), { import: load }));
    const errors = (output.errors ?? []).filter(({ severity }) => severity === "error");
    if (errors.length > 0) {
        throw new Error(errors.map(({ formattedMessage }) => formattedMessage).join("\n"));
    }
    for (const file of files) {
        const name = path.basename(file, ".sol");
        const { evm } = output.contracts[path.join(base, file)][name];
        const place = path.join(root, "compiled", path.basename(base.replace("/contracts", "")), `${name}.json`);
        mkdirSync(path.dirname(place), { recursive: true });
        const artifact = { bytecode: evm.bytecode.object, deployedBytecode: evm.deployedBytecode.object };
        writeFileSync(place, JSON.stringify(artifact));
    }
}

if (isMainThread) {
    const root = path.resolve(process.argv[2]);
    // Each compiler in a thread of its own; an error in one ends the process.
    for (const set of SETS) {
        new Worker(fileURLToPath(import.meta.url), { workerData: { root, set } });
    }
} else {
    compile(workerData.root, workerData.set);
}
