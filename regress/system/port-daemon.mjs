// What the tests of ports share: servers inside sandboxes, names below a proxy
// domain, and both protocols.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import { execFileSync } from 'node:child_process';
import { obj, startDaemon, top, waitFor } from './daemon.mjs';

export const site = 'ide.localhost';
const node = '/opt/ide/node/bin/node';

// A certificate for the site and all names below it.
export function wildcardCertificate(dir) {
	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
		'-nodes', '-keyout', `${dir}/server.key`, '-out', `${dir}/server.crt`, '-days', '30', '-subj', '/CN=ide',
		'-addext', `subjectAltName=DNS:localhost,DNS:${site},DNS:*.${site},IP:127.0.0.1`], { stdio: 'ignore' });
	fs.chmodSync(`${dir}/server.key`, 0o600);
}

// A server inside a user's sandbox; ends with it, or by stop().
export async function serve(d, user, port, { address = '127.0.0.1', script = 'port-server.js' } = {}) {
	const p = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', user, '--',
		node, '-', String(port), address], { stdio: ['pipe', 'pipe', 'inherit'] });
	p.stdin.end(fs.readFileSync(`${top}/regress/system/${script}`));
	let out = '';
	p.stdout.on('data', (s) => { out += s; });
	await waitFor(`the server on port ${port}`, () => /listening/.test(out));
	return {
		stop: () => d.ctl(['sandbox', 'exec', user, '--', 'pkill', '-f', `node - ${port} `]),
		output: () => out,
	};
}

// A request over HTTP/1.1 to any name, on a connection of its own.
export function ask(d, host, method, path, { headers = {}, body, agent } = {}) {
	return new Promise((resolve, reject) => {
		const name = host.replace(/:\d+$/, '');
		const req = https.request({ host: '127.0.0.1', port: d.port, servername: name, method, path,
			rejectUnauthorized: false, agent: agent ?? false, setHost: false,
			headers: { host: `${name}:${d.port}`, ...headers } }, (res) => {
			const parts = [];
			res.on('data', (b) => parts.push(b));
			res.on('error', reject);
			res.on('end', () => resolve(answer(res.statusCode, res.headers, Buffer.concat(parts))));
		});
		req.on('error', reject);
		if (body !== undefined) req.write(body);
		req.end();
	});
}

// The same over HTTP/2.
export function ask2(d, host, method, path, { headers = {}, body } = {}) {
	return new Promise((resolve, reject) => {
		const c = http2.connect(`https://${host}:${d.port}`, { rejectUnauthorized: false,
			lookup: (h, o, cb) => (o.all ? cb(null, [{ address: '127.0.0.1', family: 4 }]) : cb(null, '127.0.0.1', 4)) });
		c.once('error', reject);
		const r = c.request({ ':method': method, ':path': path, ...headers });
		const parts = [];
		let status = 0, got = {};
		r.on('response', (h) => { status = h[':status']; got = h; });
		r.on('data', (b) => parts.push(b));
		r.on('error', (e) => { c.destroy(); reject(e); });
		r.on('close', () => { c.destroy(); resolve(answer(status, got, Buffer.concat(parts))); });
		r.end(body);
	});
}

function answer(status, headers, raw) {
	return { status, headers, raw, get body() { return raw.toString('utf8'); },
		get json() { return JSON.parse(raw.toString('utf8')); } };
}

export const cookiesOf = (r) => Object.fromEntries((r.headers['set-cookie'] || []).map((s) => s.split(';')[0].split(/=(.*)/s)));

// As a browser would: the way over the main origin, to the cookie of the port's.
export async function signOn(d, session, port, path = '/') {
	const host = `${port}.${site}`;
	const html = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };
	const first = await ask(d, host, 'GET', path, { headers: html });
	const there = new URL(first.headers.location);
	const code = await ask(d, there.hostname, 'GET', there.pathname + there.search, { headers: { ...html, cookie: session } });
	const back = new URL(code.headers.location);
	const nonce = cookiesOf(first)['__Host-ided-enter'];
	const last = await ask(d, back.hostname, 'GET', back.pathname + back.search,
		{ headers: { ...html, cookie: `__Host-ided-enter=${nonce}` } });
	const token = cookiesOf(last)['__Host-ided-port'];
	return { first, code, back, nonce, last, cookie: `__Host-ided-port=${token}` };
}

export async function startPorts({ domain = true, proxy = '', ...opts } = {}) {
	const conf = `proxy { ${domain ? `domain "*.${site}"` : ''}\n${proxy} }\n${opts.conf || ''}`;
	return startDaemon({ users: ['ann', 'bob'], ...opts, certificateFor: wildcardCertificate, conf });
}
