// Stands in a user's sandbox where VS Code's server stands, is started as it is
// (server/out/server-main.js --socket-path S ...), and writes down every byte
// that reaches it, in $HOME/record.jsonl: a line { conn, data } for what came,
// { conn, end } when the other side has ended.  It answers each request that it
// can make out with what it made out.  A path .../evil/NAME asks for one of the
// answers of evil.js, which no honest server gives.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const evil = require('./evil.js');

const socket = process.argv[process.argv.indexOf('--socket-path') + 1];
const record = fs.openSync(`${process.env.HOME}/record.jsonl`, 'a');
const note = (o) => fs.writeSync(record, `${JSON.stringify(o)}\n`);

const field = (head, name) =>
	new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'im').exec(head)?.[1];

// The first request in what came: { head, body, size }, or null.
function request(bytes) {
	const end = bytes.indexOf('\r\n\r\n');
	if (end === -1) return null;
	const head = bytes.slice(0, end);
	let at = end + 4;
	if (/^transfer-encoding:.*chunked/im.test(head)) {
		const start = at;
		for (;;) {
			const m = /^([0-9a-f]+)[^\n]*\n/i.exec(bytes.slice(at, at + 4096));
			if (m === null) return null;
			const n = parseInt(m[1], 16);
			at += m[0].length + n + 2;
			if (bytes.length < at) return null;
			if (n === 0) return { head, body: bytes.slice(start, at), size: at };
		}
	}
	const n = Number(field(head, 'content-length') ?? 0) || 0;
	if (bytes.length < at + n) return null;
	return { head, body: bytes.slice(at, at + n), size: at + n };
}

function upgrade(s, head) {
	const accept = crypto.createHash('sha1').update(`${field(head, 'sec-websocket-key')}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
	s.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
	s.on('data', (d) => s.write(d)); // an echo
}

let conns = 0;
const server = net.createServer({ allowHalfOpen: true }, (s) => {
	const conn = ++conns;
	let bytes = '';
	let requests = 0;
	let own = false; // somebody else answers on it
	s.on('error', () => {});
	s.on('end', () => { note({ conn, end: true }); s.end(); });
	s.on('data', (d) => {
		note({ conn, data: d.toString('base64') });
		if (own) return;
		bytes += d.toString('latin1');
		for (let r; !own && (r = request(bytes)) !== null;) {
			bytes = bytes.slice(r.size);
			requests++;
			const line = r.head.split('\r\n', 1)[0];
			const name = /^\S+ \S*\/evil\/([\w-]+)/.exec(line)?.[1];
			if (name !== undefined) {
				own = evil.answer(s, name, r) !== true;
			} else if (field(r.head, 'upgrade')) {
				own = true;
				upgrade(s, r.head);
			} else {
				const text = JSON.stringify({ conn, requests, line, body: r.body.length });
				s.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${line.startsWith('HEAD ') ? '' : text}`);
			}
		}
	});
});
server.listen(socket);
process.on('uncaughtException', (e) => { console.error(e); });
