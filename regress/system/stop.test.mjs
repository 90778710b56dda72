// A stop that finishes what runs: WebSockets are told to come again, HTTP/2 is sent
// away, and a request that is under way gets its answer.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http2 from 'node:http2';
import { waitFor } from './daemon.mjs';
import { serve, startPorts } from './port-daemon.mjs';

const goodbye = Buffer.from([0x88, 2, 1012 >> 8, 1012 & 0xff]);

// An unmasked frame, as a server says it; port-server.js sends back what comes.
function frame(size) {
	const head = size < 126 ? Buffer.from([0x82, size]) : Buffer.alloc(4);
	if (size >= 126) { head.writeUInt16BE(0x827e, 0); head.writeUInt16BE(size, 2); }
	return Buffer.concat([head, crypto.randomBytes(size)]);
}

async function websocket(d, cookie) {
	const s = await d.raw();
	let got = Buffer.alloc(0);
	const end = new Promise((r) => s.once('close', r));
	s.on('data', (b) => { got = Buffer.concat([got, b]); });
	s.on('error', () => {});
	s.write(`GET /proxy/3000/socket HTTP/1.1\r\nHost: localhost:${d.port}\r\nCookie: ${cookie}\r\nOrigin: ${d.origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
		`Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
	await waitFor('the upgrade', () => got.includes('\r\n\r\n'));
	const skip = got.indexOf('\r\n\r\n') + 4;
	return { s, end, body: () => got.subarray(skip) };
}

test('told to stop: WebSockets close with 1012, after the frame that is under way', { timeout: 60000 }, async () => {
	const d = await startPorts({ domain: false });
	try {
		const cookie = await d.login('ann');
		await serve(d, 'ann', 3000);
		const idle = await websocket(d, cookie), whole = await websocket(d, cookie), half = await websocket(d, cookie);
		const small = frame(5), large = frame(3000);
		whole.s.write(Buffer.concat([small, large]));
		await waitFor('the echo', () => whole.body().length === small.length + large.length);
		// Of this one the end is still to come.
		half.s.write(large.subarray(0, 1000));
		await waitFor('its first part', () => half.body().length === 1000);
		// And a client of HTTP/2, which has something under way too.
		const c = http2.connect(d.origin, { rejectUnauthorized: false });
		const away = new Promise((r) => c.on('goaway', (code) => r(code)));
		c.on('error', () => {});
		const slow = c.request({ ':path': '/proxy/3000/slow?ms=700', cookie });
		let status = 0;
		slow.on('response', (h) => { status = h[':status']; });
		slow.resume();
		const answered = new Promise((r) => slow.on('close', r));
		slow.end();
		await waitFor('h2 to be up', () => !c.connecting);
		await new Promise((r) => c.ping((e) => r(e)));
		d.child.kill('SIGTERM');
		await Promise.all([idle.end, whole.end]);
		assert.deepEqual(idle.body(), goodbye);
		assert.deepEqual(whole.body(), Buffer.concat([small, large, goodbye]));
		assert.equal(half.body().length, 1000, 'nothing is put into a frame');
		half.s.write(large.subarray(1000));
		await half.end;
		assert.deepEqual(half.body(), Buffer.concat([large, goodbye]));
		assert.equal(await away, 0);
		await answered;
		assert.equal(status, 200);
		await d.ended;
		assert.deepEqual(d.exit, { code: 0, sig: null });
		assert.doesNotMatch(d.log, /did not finish/);
	} finally {
		await d.stop();
	}
});
