// A developer's server, as it runs inside a sandbox: port-server.js PORT [ADDRESS].
// It says what reached it, and answers what a path asks for.
const http = require('http');
const crypto = require('crypto');

const port = Number(process.argv[2]);
const address = process.argv[3] || '127.0.0.1';
let connections = 0, open = 0, peak = 0;
const ends = {}; // how requests that began to have a body ended, by query

function echo(req, res, extra = {}) {
	const hash = crypto.createHash('sha256');
	let bytes = 0;
	req.on('data', (d) => { bytes += d.length; hash.update(d); });
	req.on('end', () => {
		res.writeHead(200, { 'content-type': 'application/json' });
		res.end(JSON.stringify({ method: req.method, url: req.url, raw: req.rawHeaders,
			headers: req.headers, bytes, sha256: hash.digest('hex'),
			connection: req.socket.number, connections, ...extra }));
	});
}

const routes = {
	'/big': (req, res, q) => {
		let left = Number(q.get('n'));
		const piece = Buffer.alloc(65536, 'x');
		res.writeHead(200, q.has('length') ? { 'content-length': left } : {});
		const more = () => {
			while (left > 0) {
				const n = Math.min(left, piece.length);
				left -= n;
				if (!res.write(piece.subarray(0, n))) { res.once('drain', more); return; }
			}
			res.end();
		};
		more();
	},
	'/redirect': (req, res, q) => { res.writeHead(Number(q.get('status') || 302), { location: q.get('to') }); res.end(); },
	'/slow': (req, res, q) => { setTimeout(() => res.end('late'), Number(q.get('ms'))); },
	'/cookies': (req, res, q) => { res.writeHead(200, { 'set-cookie': q.getAll('c') }); res.end('set'); },
	'/headers': (req, res, q) => {
		const h = {};
		for (const [k, v] of q) h[k] = v;
		res.writeHead(200, h);
		res.end('headers');
	},
	'/events': (req, res, q) => {
		res.writeHead(200, { 'content-type': 'text/event-stream' });
		let n = 0;
		const t = setInterval(() => { res.write(`data: ${n++}\n\n`); }, Number(q.get('every') || 50));
		req.on('close', () => clearInterval(t));
	},
	'/never': () => {},
	// How many connections there are, and were at most since somebody asked.
	'/connections': (req, res) => {
		res.end(JSON.stringify({ open, peak, connections }));
		peak = open;
	},
	// A head that never comes to its end, a field now and then.
	'/drip': (req) => {
		req.socket.write('HTTP/1.1 200 OK\r\n');
		const t = setInterval(() => req.socket.write('X-More: a\r\n'), 200);
		req.socket.on('close', () => clearInterval(t));
	},
	// Answers before the body is there: and reads on, or does not, or hangs up.
	'/early': (req, res, q) => {
		res.writeHead(413, { 'content-length': 5, ...(q.has('close') && { connection: 'close' }) });
		res.end('large');
		if (q.has('read')) req.resume();
		if (q.has('destroy')) res.on('finish', () => req.socket.destroySoon());
	},
	// How it ended for this side is told at /ends.
	'/watched': (req, res, q) => {
		const e = ends[q.get('n')] = { bytes: 0, end: false, gone: false, length: req.headers['content-length'] };
		req.on('data', (b) => { e.bytes += b.length; });
		req.on('end', () => { e.end = true; if (!q.has('big')) res.end('all of it'); });
		req.on('error', () => {});
		req.socket.on('close', () => { e.gone = true; });
		if (q.has('big')) {
			const piece = Buffer.alloc(65536, 'x');
			res.writeHead(200);
			const more = () => { while (!res.destroyed && res.write(piece)); };
			res.on('drain', more);
			more();
		}
	},
	'/ends': (req, res, q) => { res.end(JSON.stringify(ends[q.get('n')] ?? null)); },
	// Takes a request's body, never reads it.
	'/deaf': (req) => { req.pause(); req.socket.pause(); },
	// Chunks, and fields behind them.
	'/trailers': (req, res) => {
		res.writeHead(200, { 'content-type': 'text/plain', trailer: 'x-sum' });
		res.write('one ');
		res.addTrailers({ 'x-sum': '2', 'set-cookie': '__Host-ided=evil' });
		res.end('two');
	},
	// A page that is known by its tag, and parts of it.
	'/file': (req, res) => {
		const body = 'abcdefghijklmnopqrstuvwxyz', tag = '"v1"';
		if (req.headers['if-none-match'] === tag) return void res.writeHead(304, { etag: tag }).end();
		const range = /^bytes=(\d+)-(\d+)$/.exec(req.headers.range ?? '');
		if (!range) return void res.writeHead(200, { etag: tag, 'accept-ranges': 'bytes', 'content-length': body.length }).end(req.method === 'HEAD' ? undefined : body);
		const part = body.slice(Number(range[1]), Number(range[2]) + 1);
		res.writeHead(206, { etag: tag, 'content-range': `bytes ${range[1]}-${range[2]}/26`, 'content-length': part.length }).end(part);
	},
	'/hang-up': (req) => { req.socket.destroy(); },
	'/page': (req, res, q) => {
		res.writeHead(200, { 'content-type': q.get('type') || 'text/html; charset=utf-8' });
		res.end(q.get('html') || '');
	},
};

const server = http.createServer((req, res) => {
	const u = new URL(req.url, 'http://x');
	const key = Object.keys(routes).find((k) => u.pathname.endsWith(k));
	(key ? routes[key] : echo)(req, res, u.searchParams);
});
server.keepAliveTimeout = 600000; // who keeps a connection says for how long
server.on('connection', (s) => {
	s.number = ++connections;
	peak = Math.max(peak, ++open);
	s.on('close', () => { open--; });
});
server.on('upgrade', (req, socket, head) => {
	if (new URL(req.url, 'http://x').pathname.endsWith('/refuse')) {
		socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
		return;
	}
	const accept = crypto.createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
	socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Origin: ${req.headers.origin}\r\nX-Cookie: ${req.headers.cookie}\r\n\r\n`);
	// Whatever bytes come go back as they are.
	if (head.length) socket.write(head);
	socket.on('data', (d) => socket.write(d));
	socket.on('error', () => {});
	socket.on('end', () => socket.end());
});
server.listen(port, address, () => console.log('listening'));
