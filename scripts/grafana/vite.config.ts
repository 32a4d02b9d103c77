import { defineConfig } from "vite";

export default defineConfig({
  logLevel: "warn",
  build: {
    target: "es2022",
    chunkSizeWarningLimit: 20_000,
    rollupOptions: {
      // "use client" means nothing here.
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
  },
  // Some of Grafana's packages read it, and a browser has none.
  define: { "process.env": {} },
});
