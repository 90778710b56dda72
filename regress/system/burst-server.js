// WebSockets that are sent to when a request says so: n frames to each, each of them
// written on its own.  The answer comes when the kernel has them all.
const crypto = require('node:crypto');
const http = require('node:http');

const [, , port, address] = process.argv;
const sockets = [];
const server = http.createServer((req, res) => {
	const n = Number(new URL(req.url, 'http://x').searchParams.get('n'));
	const each = sockets.map((s) => new Promise((resolve) => {
		for (let i = 0; i < n; i++) {
			const text = Buffer.from(`frame ${i}`);
			s.write(Buffer.concat([Buffer.from([0x82, text.length]), text]), i === n - 1 ? resolve : undefined);
		}
	}));
	Promise.all(each).then(() => res.end(String(sockets.length)));
});
server.on('upgrade', (req, s) => {
	const accept = crypto.createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
	s.setNoDelay(true);
	s.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
	s.on('error', () => {});
	s.on('data', () => {});
	sockets.push(s);
	s.on('close', () => sockets.splice(sockets.indexOf(s), 1));
});
server.listen(port, address, () => console.log('listening'));
