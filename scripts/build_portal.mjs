// Builds the claim page: portal/ -> ame/portal/static (or the folder given). Same sources and lock file, same bytes.
import { build } from 'esbuild';
import { copyFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = process.argv[2] ?? `${root}ame/portal/static`;
mkdirSync(out, { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: ['portal/src/main.ts'],
  outfile: `${out}/app.js`,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
});
await build({ absWorkingDir: root, entryPoints: ['portal/app.css'], outfile: `${out}/app.css`, minify: true, target: 'es2022', logLevel: 'warning' });
copyFileSync(`${root}portal/index.html`, `${out}/index.html`);
