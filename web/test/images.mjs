// Files for updates: by the program itself where it is there, by hand for the pretended plug and the unit tests.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { BINARY } from "./plug.mjs";

export const isMock = BINARY.endsWith(".mjs");

/** The head of an image as ESP chips know it, and something behind it. */
export function image(version, { chip = 0xfffe, project = "ossp-firmware", size = 100_000 } = {}) {
  const bytes = Buffer.alloc(size, 0x5a);
  bytes.fill(0, 0, 112);
  bytes.set([0xe9, 1]);
  bytes.writeUInt16LE(chip, 12);
  bytes.writeUInt32LE(0xabcd5432, 32);
  bytes.write(version, 48);
  bytes.write(project, 80);
  return bytes;
}

/** A package around it; nobody verifies the signature of `key`. */
export function packed(version, { key, ...more } = {}) {
  const bare = image(version, more);
  const sha256 = createHash("sha256").update(bare).digest("hex");
  const about = { project: "ossp-firmware", chip: "pc", board: "virtual", commit: "89abcde", rustc: "1.90.0" };
  const manifest = JSON.stringify({ version, ...about, espflash: "4.1.0", size: bare.length, sha256 });
  const lines = ["OSSP1", manifest, ...(key ? [`${key} ${"22".repeat(64)}`] : []), "", ""];
  return Buffer.concat([Buffer.from(lines.join("\n")), bare]);
}

const ossp = (words, say = "ignore") => execFileSync(BINARY, words, { stdio: ["ignore", "pipe", say] }).toString();

/**
 * Writes a package of `version`, signed by `key` (a pair of `keyPair`) if there is one, or with `bare` the image alone.
 * With `crashes` it does so that many seconds after each start.
 */
export function firmware(path, version, { key, bare = false, crashes = 0 } = {}) {
  if (isMock) {
    const called = crashes ? `${version}-crash` : version;
    writeFileSync(path, bare ? image(called) : packed(called, key && { key: key.public }));
    return path;
  }
  const plain = bare ? path : `${path}.bin`;
  ossp(["image", "--version", version, ...(crashes ? ["--crash-after", String(crashes)] : []), "-o", plain]);
  if (!bare) ossp(["sign", plain, ...(key ? ["--key", key.path] : []), "-o", path]);
  return path;
}

/** A pair of keys: the path of the secret one, and the public one's digits. */
export function keyPair(path) {
  if (isMock) return { path, public: "11".repeat(32) };
  const found = ossp(["keygen", "-o", path]).match(/\b[0-9a-f]{64}\b/);
  if (!found) throw new Error("ossp keygen names no public key");
  return { path, public: found[0] };
}
