// A developer's server, as it runs inside a sandbox: port-server.js PORT [ADDRESS].
// It says what reached it, and answers what a path asks for.
const http = require('http');
const crypto = require('crypto');

const port = Number(process.argv[2]);
const address = process.argv[3] || '127.0.0.1';
let connections = 0;

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
server.on('connection', (s) => { s.number = ++connections; });
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
