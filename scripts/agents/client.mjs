// Speaks to an MCP server over standard input and output, as an agent's host does: client.mjs STEPS PROGRAM [ARGUMENT..]
// STEPS is a JSON array of { name, arguments }. Prints one JSON object: { server, instructions, tools, results }.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [steps, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "tests", version: "1" });
await client.connect(new StdioClientTransport({ command, args, env: process.env, stderr: "inherit" }));
const { tools } = await client.listTools();
const results = [];
for (const step of JSON.parse(steps)) {
    try {
        results.push(await client.callTool(step));
    } catch (error) {
        results.push({ protocolError: error.code, message: error.message });
    }
}
const said = { server: client.getServerVersion(), instructions: client.getInstructions(), tools, results };
await client.close();
process.stdout.write(`${JSON.stringify(said)}\n`);
