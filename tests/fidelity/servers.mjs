// The servers, each in two forms: over its own stdio, which is the direct way, and over Streamable HTTP.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { limited } from './client.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));

const everything = [
  '--require', join(here, 'preload.cjs'),
  join(here, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'),
];
const sdk2 = [join(here, 'sdk2.mjs')];

/// How each is started. The middle one serves 2026-07-28 and nothing else, the last one both eras.
export const SERVERS = {
  everything: { stdio: [...everything, 'stdio'], http: [...everything, 'streamableHttp'] },
  modern: { stdio: [...sdk2, 'stdio', 'reject'], http: [...sdk2, 'http', 'reject'] },
  both: { stdio: [...sdk2, 'stdio', 'serve'], http: [...sdk2, 'http', 'stateless'] },
};

/// A server over Streamable HTTP.
export class Remote {
  #child;
  #waiting = new Set();
  log = [];

  /// Starts it at a free port, and waits until it listens.
  static async start(name) {
    const remote = new Remote(SERVERS[name].http);
    const line = await remote.logged('listening at ');
    remote.url = `http://127.0.0.1:${line.split('listening at ')[1]}/mcp`;
    return remote;
  }

  constructor(args) {
    this.#child = spawn(process.execPath, args, {
      env: { ...process.env, PORT: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.log.push(line);
        for (const look of this.#waiting) look();
      });
    }
  }

  /// The line of the log that contains that text, counted from a line on. It is waited for.
  logged(text, from = 0) {
    const line = new Promise((resolve) => {
      const look = () => {
        const found = this.log.slice(from).find((line) => line.includes(text));
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
    return limited(line, `"${text}" in the log of the server`);
  }

  stop() {
    this.#child.kill('SIGKILL');
  }
}
