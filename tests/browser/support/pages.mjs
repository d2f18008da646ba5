// The pages of our own, bundled once for each process and served from localhost, where a page may use a camera.
import { createServer } from 'node:http';
import { build } from 'esbuild';

let server;
const bundles = new Map();

/** A script of this folder as one file. */
function bundle(name) {
  if (!bundles.has(name)) {
    const entry = new URL(`${name}.js`, import.meta.url).pathname;
    const options = { bundle: true, format: 'iife', platform: 'browser', write: false, logLevel: 'error' };
    bundles.set(name, build({ entryPoints: [entry], define: { global: 'window' }, ...options }).then((it) => it.outputFiles[0].text));
  }
  return bundles.get(name);
}

async function answer(request, response) {
  const [, name, script] = request.url.match(/^\/(element|device)(\.js)?$/) ?? [];
  if (!name) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
  response.end(script ? await bundle(name) : `<!doctype html><title>${name}</title><script src="/${name}.js"></script>`);
}

/** The address of the page that runs a script of this folder. */
export async function page(name) {
  server ??= new Promise((resolve) => {
    const made = createServer(answer);
    made.unref();
    made.listen(0, 'localhost', () => resolve(made));
  });
  return `http://localhost:${(await server).address().port}/${name}`;
}
