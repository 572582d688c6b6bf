#!/usr/bin/env node
// The Solidity compiler for py-solc-x, Ape, Forge and Slither: --version, and --standard-json with --base-path.
// Set-up links to it as .cache/solcx/solc-v<version>. It runs the native compiler if set-up could get one, else npm's
// WebAssembly build. Either finds node_modules from any base path: Ape compiles a copy of contracts/ elsewhere.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));
const NATIVE = join(PROJECT, ".cache", "solc-native", "solc-v0.8.37");

function options() {
  try {
    return parseArgs({
      options: {
        version: { type: "boolean" },
        "standard-json": { type: "boolean" },
        "base-path": { type: "string", default: process.cwd() },
        // Native solc limits and widens file access with these; here only the base path is ever read.
        "allow-paths": { type: "string" },
        "include-path": { type: "string", multiple: true },
      },
      allowPositionals: true, // Forge passes "-" for standard input
    }).values;
  } catch (error) {
    fail(error.message);
  }
}

function fail(message) {
  process.stderr.write(`solc: ${message}\n`);
  process.exit(1);
}

/** Reads imports that the input does not carry itself; nothing outside of these folders. */
function readerBelow(folders) {
  const roots = folders.map((folder) => realpathSync(folder));
  return (name) => {
    for (const root of roots) {
      const path = resolve(root, name);
      if (!existsSync(path)) continue;
      const inside = relative(root, realpathSync(path));
      if (!inside.startsWith("..") && !isAbsolute(inside)) return { contents: readFileSync(path, "utf8") };
    }
    return { error: `${name} is not below ${roots.join(" or ")}` };
  };
}

/** Synchronous, in pieces: a pipe takes less at once than a compiler's answer, and exit must not cut it off. */
function write(text) {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

function runNative() {
  const given = process.argv.slice(2);
  const include = given.includes("--base-path") ? ["--include-path", PROJECT] : [];
  const done = spawnSync(NATIVE, [...given, ...include], { stdio: "inherit" });
  process.exit(done.status ?? 1);
}

function runWebAssembly() {
  const chosen = options();
  const solc = createRequire(import.meta.url)("solc");
  if (chosen.version) {
    write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
  } else if (chosen["standard-json"]) {
    const callbacks = { import: readerBelow([chosen["base-path"], PROJECT]) };
    write(solc.compile(readFileSync(0, "utf8"), callbacks) + "\n");
  } else {
    fail("only --version and --standard-json are supported by the WebAssembly build");
  }
}

if (existsSync(NATIVE)) runNative();
else runWebAssembly();
