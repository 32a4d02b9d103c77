import { defineConfig } from "vite";

export default defineConfig({
  base: "/console/",
  build: {
    // build.rs watches the directory, which must stay.
    emptyOutDir: false,
    target: "es2022",
    // No data: URLs, which the page's policy does not allow for scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
