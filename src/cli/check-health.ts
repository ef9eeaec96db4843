/** For the container's health check, which knows the environment and no --config file: exits 0 where the server here says that it is alive. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

const { HOST = '127.0.0.1', PORT = '8080', MODFORGE_TLS_CERT } = process.env;
const host = HOST === '0.0.0.0' || HOST === '::' ? 'localhost' : HOST;
const request = MODFORGE_TLS_CERT ? requestHttps : requestHttp;

// Its own certificate names the public host, not this one.
const options = { host, port: Number(PORT), path: '/healthz', timeout: 4_000, rejectUnauthorized: false };

const check = request(options, response => {
  process.exitCode = response.statusCode === 200 ? 0 : 1;
  response.resume();
});
check.on('timeout', () => check.destroy(new Error('no answer within four seconds')));
check.on('error', error => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
check.end();
