import { defineConfig } from "vite";

export default defineConfig({
  build: { target: "es2022", chunkSizeWarningLimit: 20_000 },
  // Some of Grafana's packages read it, and a browser has none.
  define: { "process.env": {} },
});
