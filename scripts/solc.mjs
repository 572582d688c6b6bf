#!/usr/bin/env node
// npm's WebAssembly solc behind the command line of the native compiler, as far as py-solc-x, Ape, Forge and
// Slither use it: --version, and --standard-json with --base-path. Set-up links to it as
// .cache/solcx/solc-v<version> where the native compiler cannot be downloaded.
import { readFileSync, realpathSync, writeSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import solc from "solc";

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

/** Reads imports that the input does not carry itself; nothing outside of the base path. */
function readerBelow(base) {
  const root = realpathSync(base);
  return (name) => {
    try {
      const path = realpathSync(resolve(root, name));
      const inside = relative(root, path);
      if (inside.startsWith("..") || isAbsolute(inside)) return { error: `${name} is outside of ${root}` };
      return { contents: readFileSync(path, "utf8") };
    } catch (error) {
      return { error: error.message };
    }
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

const chosen = options();
if (chosen.version) {
  write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (chosen["standard-json"]) {
  const callbacks = { import: readerBelow(chosen["base-path"]) };
  write(solc.compile(readFileSync(0, "utf8"), callbacks) + "\n");
} else {
  fail("only --version and --standard-json are supported by the WebAssembly build");
}
