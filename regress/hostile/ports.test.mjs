// A program on a port that answers as no honest one would (evil.js), below /proxy/
// and at an origin of its own, and clients that would make two requests of one: each
// answer is a proper one or shows as broken, and nobody else's notices.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import { obj, top, waitFor } from '../system/daemon.mjs';
import { signOn, site, startPorts } from '../system/port-daemon.mjs';

const { names } = createRequire(import.meta.url)('./evil.js');
// Heads that would be read in two ways.
const refused = ['cr-in-value', 'lf-in-value', 'nul-in-value', 'esc-in-value', 'fold', 'space-in-name', 'space-before-colon',
	'no-colon', 'empty-name', 'lf-only', 'crcrlf', 'close', 'lost', 'close-in-line', 'close-in-head'];
const server = `const module_ = { exports: {} };
(function (exports) {${fs.readFileSync(`${top}/regress/hostile/evil.js`, 'utf8')}
})(module_.exports);
require('net').createServer((s) => {
	let in_ = '';
	s.on('error', () => {});
	s.on('data', (b) => {
		in_ += b.toString('latin1');
		for (let at; (at = in_.indexOf('\\r\\n\\r\\n')) !== -1;) {
			const head = in_.slice(0, at);
			in_ = in_.slice(at + 4);
			const evil = /evil\\/([\\w-]+)/.exec(head.split('\\r\\n')[0]);
			if (evil) { if (!module_.exports.answer(s, evil[1], {})) in_ = ''; continue; }
			const text = JSON.stringify({ head });
			s.write('HTTP/1.1 200 OK\\r\\nContent-Length: ' + text.length + '\\r\\n\\r\\n' + text);
		}
	});
}).listen(3000, '127.0.0.1', () => console.log('listening'));`;

async function start(domain) {
	const d = await startPorts({ users: ['ann'], domain, proxy: 'timeout 1s', prefork: 'spare 8' });
	const session = await d.login('ann');
	const p = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'ann', '--', '/opt/ide/node/bin/node', '-'],
		{ stdio: ['pipe', 'pipe', 'inherit'] });
	p.stdin.end(server);
	let out = '';
	p.stdout.on('data', (s) => { out += s; });
	await waitFor('the evil server', () => /listening/.test(out));
	const at = domain ? { name: `3000.${site}`, base: '', cookie: (await signOn(d, session, 3000)).cookie } :
		{ name: 'localhost', base: '/proxy/3000', cookie: session };
	return { d, at };
}

// Bytes on a connection, and all that comes until it ends or rests.
async function say(d, at, bytes, { enough = 1 << 20, ms = 15000 } = {}) {
	const s = await d.raw({ servername: at.name });
	return new Promise((resolve) => {
		let out = '';
		const done = (why) => { clearTimeout(t); s.destroy(); resolve({ out, why, status: Number(out.slice(9, 12)) }); };
		const t = setTimeout(done, ms, 'time');
		s.on('data', (b) => {
			out += b.toString('latin1');
			if (out.length > enough) done('enough');
		});
		s.on('close', () => done('close'));
		s.on('error', () => done('error'));
		s.write(Buffer.from(bytes, 'latin1'));
	});
}

for (const domain of [false, true]) {
	const where = domain ? 'at its own origin' : 'below /proxy/';
	test(`a program that lies, ${where}`, { timeout: 400000 }, async (t) => {
		const { d, at } = await start(domain);
		t.after(() => d.stop());
		const head = `Host: ${at.name}:${d.port}\r\nCookie: ${at.cookie}\r\n`;
		const fine = async (what) => {
			const r = await say(d, at, `GET ${at.base}/fine HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
			assert.equal(r.status, 200, `after ${what}: ${r.out}`);
		};
		// Most are waited for until their time is over: some at once.
		const left = [...names];
		await Promise.all(Array.from({ length: 6 }, async () => {
			for (let name; (name = left.shift()) !== undefined;) {
				const ws = name.startsWith('ws-') ? `Origin: https://${at.name}:${d.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n` : 'Connection: close\r\n';
				const r = await say(d, at, `GET ${at.base}/evil/${name} HTTP/1.1\r\n${head}${ws}\r\n`);
				const top_ = r.out.slice(0, r.out.indexOf('\r\n\r\n'));
				assert.match(r.out, /^HTTP\/1\.1 \d{3} /, name);
				assert.doesNotMatch(top_, /[^\r]\n|\r[^\n]|\0|forged/, name);
				assert.doesNotMatch(top_, /set-cookie: *=?__host-ided/i, name);
				if (refused.includes(name)) assert.equal(r.status, 502, name);
				if (name.startsWith('ws-')) assert.notEqual(r.status, 101, name);
				await fine(name);
			}
		}));
		// A client that would have its program see another request than we do.
		const twice = `GET ${at.base}/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`;
		for (const [what, h] of [['both lengths', `Content-Length: ${twice.length}\r\nTransfer-Encoding: chunked\r\n`],
			['two lengths', `Content-Length: 0\r\nContent-Length: ${twice.length}\r\n`], ['another coding', 'Transfer-Encoding: gzip, chunked\r\n'],
			['a list', `Content-Length: 0, ${twice.length}\r\n`], ['a fold', `X: y\r\n Content-Length: ${twice.length}\r\n`],
			['a space', `Content-Length : ${twice.length}\r\n`], ['a bare LF', `X: y\nContent-Length: ${twice.length}\r\n`]]) {
			const r = await say(d, at, `POST ${at.base}/x HTTP/1.1\r\n${head}Origin: https://${at.name}:${d.port}\r\n${h}\r\n0\r\n\r\n${twice}`);
			assert.ok([400, 501].includes(r.status), `${what}: ${r.out.slice(0, 200)}`);
			assert.doesNotMatch(r.out, /smuggled/, what);
		}
		// One whose target would be another head.
		for (const target of [`${at.base}/a%0d%0aX:%20y`, `${at.base}/a%00`, `${at.base}/../../x`, `${at.base}/%2e%2e/%2e%2e/x`]) {
			const r = await say(d, at, `GET ${target} HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
			assert.equal(r.status, 400, target);
		}
		await fine('all of it');
	});
}
