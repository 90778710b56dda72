// Behind a proxy that says whom it speaks for: that address counts, and only listed
// proxies are believed.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { startDaemon, freePort, password, waitFor } from './daemon.mjs';

let d, port, sock;

before(async () => {
	port = await freePort();
	d = await startDaemon({ users: ['ann'], prefork: 'spare 4\n\tper-source 3\n\thandshake-timeout 4s', conf:
		`listen on 127.0.0.1 port ${port} tls proxy-protocol from 127.0.0.1 from 127.0.7.0/24` });
	// Relative to nothing: the runtime folder is there only after the first start.
	sock = `${d.runtime}/http.sock`;
	d.write(`listen on 127.0.0.1 port ${port} tls proxy-protocol from 127.0.0.1 from 127.0.7.0/24
listen on unix "${sock}" proxy-protocol`);
	d.ok(['reload']);
	await waitFor('the unix socket', () => fs.existsSync(sock));
});
after(() => d?.stop());

const v1 = (ip) => Buffer.from(`PROXY TCP${ip.includes(':') ? 6 : 4} ${ip} ${ip} 4711 443\r\n`);
const v2 = (ip) => Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', 'latin1'),
	Buffer.from([...ip.split('.').map(Number), 127, 0, 0, 1, 18, 103, 1, 187])]);
const local = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x20\0\0\0', 'latin1');

// A TLS connection that the header goes before; pieces: each sent when the last went.
function open(head, { localAddress = '127.0.0.1', pieces = [head] } = {}) {
	return new Promise((resolve, reject) => {
		const s = net.connect({ host: '127.0.0.1', port, localAddress });
		s.setNoDelay(true);
		s.once('error', reject);
		s.once('close', () => reject(new Error('closed')));
		s.once('connect', async () => {
			for (const p of pieces) await new Promise((r) => s.write(p, r));
			const t = tls.connect({ socket: s, servername: 'localhost', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
			t.once('secureConnect', () => resolve(t));
			t.once('error', reject);
		});
	});
}

function ask(s, text) {
	return new Promise((resolve, reject) => {
		let out = '';
		s.on('data', (b) => { out += b; });
		s.on('end', () => resolve(out));
		s.on('error', reject);
		s.end(text);
	});
}
const login = (name, pw) => {
	const body = `username=${name}&password=${pw}`;
	return `POST /login HTTP/1.1\r\nHost: localhost:${port}\r\nOrigin: https://localhost:${port}\r\nConnection: close\r\n` +
		`Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};

test('the address that the proxy names is the one that counts', async () => {
	for (const [head, ip] of [[v1('192.0.2.1'), '192.0.2.1'], [v1('2001:db8::5'), '2001:db8::5'], [v2('198.51.100.9'), '198.51.100.9']]) {
		assert.match(await ask(await open(head), login('ann', password)), /^HTTP\/1\.1 302/);
		await waitFor(`a login from ${ip}`, () => d.log.includes(`login.ok user="ann" source="${ip}"`));
	}
	assert.match(await ask(await open(v1('192.0.2.1'), { localAddress: '127.0.7.9' }), login('ann', password)), /^HTTP\/1\.1 302/);
	await ask(await open(local), login('ann', password));
	await waitFor('a login of the proxy itself', () => /login\.ok user="ann" source="(?!1|2)/.test(d.log));
});

test('however it is cut', async () => {
	for (const head of [v1('192.0.2.2'), v2('192.0.2.2')]) {
		const s = await open(head, { pieces: [...head].map((b) => Buffer.from([b])) });
		assert.match(await ask(s, `GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 200/);
	}
});

test('who is not listed, or says nothing of the kind, is not served', async () => {
	const refused = (p) => assert.rejects(p, /closed|reset|hang up|disconnected|EPIPE/i);
	await refused(open(v1('192.0.2.1'), { localAddress: '127.0.0.2' }));
	await refused(open(Buffer.alloc(0)));	// a TLS hello is no header
	await refused(open(Buffer.from('PROXY TCP4 192.0.2.1\r\n')));
	await refused(open(Buffer.concat([v1('192.0.2.1').subarray(0, 20), Buffer.from('\0'.repeat(200))])));
	await waitFor('word of it', () => /proxied\.bad/.test(d.log) && /not one of the proxies/.test(d.log));
	// Nor does a header count where none is expected.
	assert.match(await d.exchange('PROXY TCP4 192.0.2.1 192.0.2.1 1 2\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
		.then((r) => r.out), /^HTTP\/1\.1 400/);
});

test('a proxy that says nothing is not waited for', async () => {
	const s = net.connect({ host: '127.0.0.1', port });
	await new Promise((resolve) => { s.on('close', resolve); s.on('error', () => {}); });
	await waitFor('word of it', () => /did not say in time whom it speaks for/.test(d.log));
});

test('limits are those of the address behind the proxy, not of the proxy', async () => {
	const held = [];
	try {
		for (let i = 0; i < 3; i++) held.push(await open(v1('203.0.113.1')));
		await assert.rejects(open(v1('203.0.113.1')));
		for (let i = 2; i < 8; i++) held.push(await open(v1(`203.0.113.${i}`)));
		// Penalties too: one fails until it is shut out, the next is not.
		for (let i = 0; i < 5; i++) await open(v1('203.0.113.77')).then((s) => ask(s, login('ann', 'wrong')), () => {});
		await waitFor('the penalty', () => open(v1('203.0.113.77')).then((s) => { s.destroy(); return false; }, () => true));
		held.push(await open(v1('203.0.113.78')));
	} finally { for (const s of held) s.destroy(); }
});

test('on a unix socket, plain HTTP, for whoever may connect', async () => {
	const get = (head) => new Promise((resolve, reject) => {
		const s = net.connect(sock);
		let out = '';
		s.on('data', (b) => { out += b; });
		s.on('end', () => resolve(out));
		s.on('error', reject);
		s.write(Buffer.concat([head, Buffer.from('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')]));
	});
	assert.match(await get(v1('192.0.2.1')), /^HTTP\/1\.1 200/);
	assert.match(await get(v2('192.0.2.1')), /^HTTP\/1\.1 200/);
	assert.match(await get(Buffer.from('PROXY UNKNOWN\r\n')), /^HTTP\/1\.1 200/);
	assert.equal(await get(Buffer.alloc(0)).catch((e) => e.code), 'ECONNRESET');
});
