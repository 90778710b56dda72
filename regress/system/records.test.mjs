// What a WebSocket's server writes in little pieces while ided is busy elsewhere leaves
// in one TLS record, over both protocols; nothing waits for more to come.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { execFileSync } from 'node:child_process';
import { waitFor } from './daemon.mjs';
import { ask, serve, startPorts } from './port-daemon.mjs';

const FRAMES = 200;
const FEW = 4; // one, if the kernel of a busy machine hands all of them over at once
let d, cookie;
before(async () => {
	d = await startPorts({ domain: false, prefork: 'spare 4' });
	cookie = await d.login('ann');
	await serve(d, 'ann', 3000, { script: 'burst-server.js' });
}, { timeout: 60000 });
after(() => d?.stop());

// Between client and ided: counts the records of application data that ided sends.
async function counter() {
	const me = { records: 0, close: () => me.server.close() };
	me.server = net.createServer((down) => {
		const up = me.up = net.connect(d.port, '127.0.0.1');
		let held = Buffer.alloc(0);
		up.on('data', (b) => {
			held = Buffer.concat([held, b]);
			while (held.length >= 5 && held.length >= 5 + held.readUInt16BE(3)) {
				me.records += held[0] === 23;
				held = held.subarray(5 + held.readUInt16BE(3));
			}
		});
		me.close = () => { up.destroy(); down.destroy(); me.server.close(); };
		for (const s of [up, down]) s.on('error', me.close);
		down.pipe(up);
		up.pipe(down);
	});
	await new Promise((r) => me.server.listen(0, '127.0.0.1', r));
	me.port = me.server.address().port;
	return me;
}

// The worker that has the other end.
function workerOf(port) {
	const out = execFileSync('ss', ['-tnpH', 'sport', '=', `:${d.port}`, 'and', 'dport', '=', `:${port}`], { encoding: 'utf8' });
	return Number(/pid=(\d+)/.exec(out)?.[1]);
}

// Frames come while the worker stands still: what it says of them when it goes on.
async function burst(c, sockets, done) {
	const pid = await waitFor('the worker', () => workerOf(c.up.localPort));
	process.kill(pid, 'SIGSTOP');
	try {
		const r = await ask(d, 'localhost', 'GET', `/proxy/3000/burst?n=${FRAMES}`, { headers: { cookie } });
		assert.equal(r.status, 200);
		assert.ok(Number(r.body) >= sockets, r.body); // one that has just left may be there yet
		c.records = 0;
	} finally {
		process.kill(pid, 'SIGCONT');
	}
	await waitFor('all of it', done);
	return c.records;
}
const last = Buffer.from(`frame ${FRAMES - 1}`);

test('HTTP/1.1', { timeout: 60000 }, async () => {
	const c = await counter();
	let s;
	try {
		s = tls.connect({ host: '127.0.0.1', port: c.port, servername: 'localhost', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
		let got = Buffer.alloc(0);
		s.on('error', () => {});
		s.on('data', (b) => { got = Buffer.concat([got, b]); });
		s.write(`GET /proxy/3000/socket HTTP/1.1\r\nHost: localhost:${d.port}\r\nCookie: ${cookie}\r\nOrigin: ${d.origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
			`Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
		await waitFor('the upgrade', () => got.includes('\r\n\r\n'));
		const records = await burst(c, 1, () => got.includes(last));
		assert.ok(records <= FEW, `${records} records`);
	} finally { s?.destroy(); c.close(); }
});

test('HTTP/2: of two at a time', { timeout: 60000 }, async () => {
	const c = await counter();
	const client = http2.connect(`https://localhost:${d.port}`, { rejectUnauthorized: false, createConnection: () =>
		tls.connect({ host: '127.0.0.1', port: c.port, servername: 'localhost', rejectUnauthorized: false, ALPNProtocols: ['h2'] }) });
	try {
		client.on('error', () => {});
		await new Promise((r) => client.once('remoteSettings', r));
		const got = [Buffer.alloc(0), Buffer.alloc(0)];
		for (const i of [0, 1]) {
			const r = client.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/proxy/3000/socket', ':authority': `localhost:${d.port}`,
				'sec-websocket-version': '13', cookie, origin: d.origin }, { endStream: false });
			r.on('error', () => {});
			r.on('data', (b) => { got[i] = Buffer.concat([got[i], b]); });
			assert.equal((await new Promise((ok) => r.once('response', ok)))[':status'], 200);
		}
		const records = await burst(c, 2, () => got.every((b) => b.includes(last)));
		assert.ok(records <= FEW, `${records} records`);
	} finally { client.destroy(); c.close(); }
});
