// Makes a token of the fleet for someone who only looks (role viewer), by the socket of a manager, and
// writes it to a file. A token of that name that is there already is revoked: nobody knows its secret.
//
//   node make-token.mjs SOCKET NAME FILE
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';

const [socketPath, name, file] = process.argv.slice(2);

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const asked = request({ socketPath, method, path, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece) => {
        text += piece;
      });
      answer.once('end', () => resolve({ status: answer.statusCode, text }));
    });
    asked.once('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

await ask('DELETE', `/v1/cluster/tokens/${name}`);
const { status, text } = await ask('POST', '/v1/cluster/tokens', { name, role: 'viewer' });
if (status !== 201) throw new Error(`the manager made no token: ${status} ${text}`);
// Prometheus runs as another user; nobody but it has this volume.
writeFileSync(file, JSON.parse(text).token, { mode: 0o644 });
