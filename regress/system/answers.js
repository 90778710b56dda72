// Stands in a user's sandbox where VS Code's server stands, and gives the answers
// that bytes.test.mjs asks for: /ide/a/KIND?n=SIZE.
'use strict';
const http = require('http');
const zlib = require('zlib');

const socket = process.argv[process.argv.indexOf('--socket-path') + 1];
const line = 'The quick brown fox jumps over the lazy dog. ';
const text = (n) => line.repeat(Math.ceil(n / line.length)).slice(0, n);

const kinds = {
	text: (q, s, n) => { s.setHeader('content-type', 'text/html'); s.setHeader('content-length', n); s.end(text(n)); },
	chunked: (q, s, n) => { s.setHeader('content-type', 'text/html'); s.write(text(n / 2)); s.end(text(n).slice(n / 2)); },
	etag: (q, s, n) => {
		s.setHeader('etag', '"one"');
		s.setHeader('content-type', 'text/plain');
		s.setHeader('accept-ranges', 'bytes');
		if (/^(W\/)?"one"$/.test(q.headers['if-none-match'] ?? '')) { s.statusCode = 304; s.end(); return; }
		const m = /^bytes=(\d+)-(\d+)$/.exec(q.headers.range ?? '');
		if (!m || (q.headers['if-range'] ?? '"one"') !== '"one"') { s.end(text(n)); return; }
		s.statusCode = 206;
		s.setHeader('content-range', `bytes ${m[1]}-${m[2]}/${n}`);
		s.end(text(n).slice(Number(m[1]), Number(m[2]) + 1));
	},
	gzip: (q, s, n) => { s.setHeader('content-type', 'text/plain'); s.setHeader('content-encoding', 'gzip'); s.end(zlib.gzipSync(text(n))); },
	png: (q, s, n) => { s.setHeader('content-type', 'image/png'); s.end(text(n)); },
	trailer: (q, s, n) => {
		s.setHeader('content-type', 'text/plain');
		s.setHeader('trailer', 'x-sum');
		s.write(text(n));
		s.addTrailers({ 'x-sum': '1' });
		s.end();
	},
	// An event, and the next one when the last was heard of: /ide/a/heard.
	events: (q, s) => {
		s.setHeader('content-type', 'text/event-stream');
		s.write('data: 0\n\n');
		let i = 0;
		heard = () => { if (++i < 5) s.write(`data: ${i}\n\n`); else s.end(); };
	},
	heard: (q, s) => { heard(); s.end(); },
	// More than anybody holds: how far did it come?
	endless: (q, s) => {
		s.setHeader('content-type', 'text/plain');
		const noise = require('crypto').randomBytes(48 * 1024).toString('base64');
		const more = () => { while (!s.destroyed && s.write(noise)) written += noise.length; };
		written = 0;
		s.on('drain', more);
		more();
	},
	written: (q, s) => { s.end(String(written)); },
};
let heard = () => {};
let written = 0;

http.createServer((q, s) => {
	const u = new URL(q.url, 'http://x');
	const kind = kinds[u.pathname.replace(/^\/ide\/a\//, '')];
	if (kind) kind(q, s, Number(u.searchParams.get('n') ?? 20000));
	else s.end('hello');
}).listen(socket);
