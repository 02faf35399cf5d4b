// Builds the page into the folder that crates/plug embeds, or checks that what is committed there is current.
//
//   node build.mjs           write the assets, print their sizes, fail above the budget
//   node build.mjs --check   build in memory and compare with the committed files; exit 1 if they differ
//
// The output depends on the sources and the locked packages alone: no time stamp is written, and the gzip streams are made
// by Zopfli compiled to WebAssembly, because the compressor inside Node gives other bytes on other machines (and more).
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import zopfli from "@gfx/zopfli";
import * as esbuild from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
/** Where the Rust side looks for the files (`include_bytes!`). */
export const ASSETS = resolve(HERE, "../crates/plug/src/web/assets");
/** All assets together, compressed: they live in the chip's program flash. */
const BUDGET_BYTES = 60 * 1024;

/** The plain files by name, before compression. */
export async function bundle() {
  const result = await esbuild.build({
    absWorkingDir: HERE,
    entryPoints: { app: "src/main.ts" },
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    // Licences of what is bundled; both packages ask for their notice to be kept.
    banner: { js: "/* OSSP, MIT OR Apache-2.0; contains uPlot (MIT, Leon Sorokin) */" },
    outdir: "out",
    write: false,
    logLevel: "silent",
  });
  const style = await esbuild.build({
    absWorkingDir: HERE,
    entryPoints: { app: "src/style/app.css" },
    bundle: true,
    minify: true,
    target: ["chrome100", "safari14", "firefox100"],
    legalComments: "none",
    banner: {
      css: "/* OSSP, MIT OR Apache-2.0; contains Milligram (MIT, CJ Patoilo) and uPlot (MIT, Leon Sorokin) */",
    },
    outdir: "out",
    write: false,
    logLevel: "silent",
  });
  const files = new Map([
    ["app.js", Buffer.from(result.outputFiles[0].contents)],
    ["app.css", Buffer.from(style.outputFiles[0].contents)],
    ["favicon.svg", readFileSync(join(HERE, "src/favicon.svg"))],
  ]);
  // The hash of the content stands in the address, so that a browser may keep a file for ever and still sees a new one.
  const html = readFileSync(join(HERE, "src/index.html"), "utf8").replace(/\{\{(.+?)\}\}/g, (_, name) => {
    const content = files.get(name);
    if (!content) throw new Error(`src/index.html names the asset "${name}", which does not exist`);
    return `/${name}?v=${createHash("sha256").update(content).digest("hex").slice(0, 12)}`;
  });
  files.set("index.html", Buffer.from(html));
  return files;
}

/** The compressed files by name. */
export async function build() {
  const compressed = new Map();
  for (const [name, content] of [...(await bundle())].sort()) {
    compressed.set(`${name}.gz`, Buffer.from(await zopfli.gzipAsync(content, { numiterations: 15 })));
  }
  return compressed;
}

function printSizes(files) {
  let total = 0;
  for (const [name, content] of files) {
    total += content.length;
    console.log(`${name.padEnd(16)} ${String(content.length).padStart(6)} bytes`);
  }
  console.log(`${"together".padEnd(16)} ${String(total).padStart(6)} bytes of ${BUDGET_BYTES}`);
  if (total > BUDGET_BYTES) {
    console.error(`The page is ${total - BUDGET_BYTES} bytes over its budget of ${BUDGET_BYTES}: take something out.`);
    return false;
  }
  return true;
}

/** Names of committed files that are missing, superfluous or different. */
function differences(files) {
  const stale = [...files].filter(([name, content]) => {
    const path = join(ASSETS, name);
    return !existsSync(path) || !readFileSync(path).equals(content);
  });
  const extra = existsSync(ASSETS) ? readdirSync(ASSETS).filter((name) => !files.has(name)) : [];
  return [...stale.map(([name]) => name), ...extra];
}

async function main() {
  const files = await build();
  if (process.argv.includes("--check")) {
    const stale = differences(files);
    if (stale.length > 0) {
      console.error(
        `The committed page is not what the sources give (${stale.join(", ")}): run "npm run build" in web/ and commit the result.`,
      );
      return 1;
    }
    console.log("The committed page is current.");
    return printSizes(files) ? 0 : 1;
  }
  mkdirSync(ASSETS, { recursive: true });
  for (const name of readdirSync(ASSETS)) if (!files.has(name)) rmSync(join(ASSETS, name));
  for (const [name, content] of files) writeFileSync(join(ASSETS, name), content);
  return printSizes(files) ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await main().catch((error) => {
    console.error(error.message);
    return 1;
  });
}
