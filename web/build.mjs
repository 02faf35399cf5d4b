// Builds the page into the folder that crates/plug embeds, or checks that what is committed there is current.
//
//   node build.mjs           write the assets, print their sizes, fail above the budget
//   node build.mjs --check   build in memory and compare with the committed files; exit 1 if they differ
//
// The output depends on the sources and the locked packages alone: no time stamp is written, and the gzip streams are made
// by Zopfli compiled to WebAssembly, because the compressor inside Node gives other bytes on other machines (and more).
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import zopfli from "@gfx/zopfli";
import * as esbuild from "esbuild";
import { pack } from "./packed.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
/** Where the Rust side looks for the files (`include_bytes!`). */
export const ASSETS = resolve(HERE, "../crates/plug/src/web/assets");
const DESCRIPTION = "openapi.packed";
/** What a browser loads at once, compressed. */
const FIRST_BUDGET_BYTES = 60 * 1024;
/**
 * All assets together, compressed: they live in the chip's program flash. 90 KB until step 6, which brought pages for joining
 * networks and for updates: what a plug cannot be without.
 */
const BUDGET_BYTES = 104 * 1024;
/** Fetched when they are needed: the other pages, and the time zones. */
const LATER = ["pages.js.gz", "zones.json.gz"];
/** Modules of the first script that the second one uses too, and must not hold a copy of. */
const SHARED = [
  "api/clock",
  "api/client",
  "api/plug",
  "api/recording",
  "lib/dom",
  "lib/format",
  "lib/modal",
  "lib/router",
  "lib/signal",
  "parts/chart",
  "parts/explain",
  "parts/looks",
  "parts/poll",
  "parts/question",
  "parts/relay",
  "parts/segments",
  "parts/traces",
  "texts/flags",
  "texts/quantities",
  "texts/sources",
];
const COMMON = { absWorkingDir: HERE, bundle: true, minify: true, outdir: "out", write: false, logLevel: "silent" };

/** Shared modules in the second script are what the first one left in `globalThis.ossp`. */
const SHARED_FROM_FIRST = {
  name: "shared",
  setup(build) {
    build.onResolve({ filter: /^\.{1,2}\// }, ({ path, resolveDir }) => {
      const name = relative(join(HERE, "src"), join(resolveDir, path)).split(sep).join("/");
      return SHARED.includes(name) ? { path: name, namespace: "shared" } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: "shared" }, ({ path }) => {
      const source = readFileSync(join(HERE, `src/${path}.ts`), "utf8");
      const names = [...source.matchAll(/^export (?:async )?(?:const|function|class) (\w+)/gm)].map(([, name]) => name);
      return { contents: `export const { ${names.join(", ")} } = globalThis.ossp[${JSON.stringify(path)}];` };
    });
  },
};

// The hash of the content stands in the address, so that a browser may keep a file for ever and still sees a new one.
const addressOf = (name, content) => `/${name}?v=${createHash("sha256").update(content).digest("hex").slice(0, 12)}`;

async function script(own) {
  const result = await esbuild.build({
    ...COMMON,
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    metafile: true,
    ...own,
  });
  const inputs = Object.keys(result.metafile.inputs).filter((name) => !/^(shared:|<)/.test(name));
  return { content: Buffer.from(result.outputFiles[0].contents), inputs };
}

/** The plain files by name, before compression. */
export async function bundle() {
  const zones = Buffer.from(JSON.stringify(JSON.parse(readFileSync(join(HERE, "src/texts/zones.json"), "utf8"))));
  const pages = await script({
    entryPoints: { pages: "src/pages.ts" },
    format: "esm",
    define: { ZONES_URL: JSON.stringify(addressOf("zones.json", zones)) },
    banner: { js: "/* OSSP, MIT OR Apache-2.0 */" },
    plugins: [SHARED_FROM_FIRST],
  });
  const shared = SHARED.map((name, n) => `import * as m${n} from "./src/${name}";`);
  const app = await script({
    stdin: {
      contents: [
        ...shared,
        'import "./src/main";',
        `globalThis.ossp = { ${SHARED.map((name, n) => `"${name}": m${n}`).join(", ")} };`,
      ].join("\n"),
      resolveDir: HERE,
    },
    format: "iife",
    define: { PAGES_URL: JSON.stringify(addressOf("pages.js", pages.content)) },
    external: ["/pages.js*"],
    // Licences of what is bundled; both packages ask for their notice to be kept.
    banner: { js: "/* OSSP, MIT OR Apache-2.0; contains uPlot (MIT, Leon Sorokin) */" },
  });
  const twice = pages.inputs.filter((name) => app.inputs.includes(name));
  if (twice.length > 0) throw new Error(`both scripts contain ${twice.join(", ")}: add it to SHARED in build.mjs`);
  const style = await esbuild.build({
    ...COMMON,
    entryPoints: { app: "src/style/app.css" },
    target: ["chrome100", "safari14", "firefox100"],
    legalComments: "none",
    banner: {
      css: "/* OSSP, MIT OR Apache-2.0; contains Milligram (MIT, CJ Patoilo) and uPlot (MIT, Leon Sorokin) */",
    },
  });
  const files = new Map([
    ["app.js", app.content],
    ["app.css", Buffer.from(style.outputFiles[0].contents)],
    ["pages.js", pages.content],
    ["zones.json", zones],
    ["favicon.svg", readFileSync(join(HERE, "src/favicon.svg"))],
  ]);
  const html = readFileSync(join(HERE, "src/index.html"), "utf8").replace(/\{\{(.+?)\}\}/g, (_, name) => {
    const content = files.get(name);
    if (!content) throw new Error(`src/index.html names the asset "${name}", which does not exist`);
    return addressOf(name, content);
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
  compressed.set(DESCRIPTION, pack(readFileSync(resolve(ASSETS, "../openapi.json"), "utf8")));
  return compressed;
}

function printSizes(files) {
  let first = 0;
  let total = 0;
  for (const [name, content] of files) {
    if (name !== DESCRIPTION) total += content.length;
    if (name !== DESCRIPTION && !LATER.includes(name)) first += content.length;
    console.log(`${name.padEnd(16)} ${String(content.length).padStart(6)} bytes`);
  }
  return [
    ["at once", first, FIRST_BUDGET_BYTES],
    ["together", total, BUDGET_BYTES],
  ].every(([name, size, budget]) => {
    console.log(`${name.padEnd(16)} ${String(size).padStart(6)} bytes of ${budget}`);
    if (size > budget)
      console.error(`The page is ${size - budget} bytes over its budget of ${budget}: take something out.`);
    return size <= budget;
  });
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
