// Bundles every src/<name>/index.ts into ../explorer/static/<name>.js, and .css where it has style sheets.
import { context } from "esbuild";
import { existsSync, readdirSync } from "node:fs";

const bundles = readdirSync("src").filter((name) => existsSync(`src/${name}/index.ts`));
const build = await context({
  entryPoints: Object.fromEntries(bundles.map((name) => [name, `src/${name}/index.ts`])),
  outdir: "../explorer/static",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: !process.argv.includes("--watch"),
  logLevel: "info",
});
if (process.argv.includes("--watch")) {
  await build.watch();
} else {
  await build.rebuild();
  await build.dispose();
}
