// A developer's server that tells its pages over a WebSocket when a file has changed:
// hot-server.js PORT ADDRESS; serves hot.txt of the folder that it was started in.
const http = require('http');
const fs = require('fs');
const crypto = require('crypto');

const port = Number(process.argv[2]);
const sockets = new Set();
const page = `<!doctype html><title>hot</title><p id=text></p><script>
const show = async () => { document.querySelector('#text').textContent = await (await fetch('hot.txt')).text(); };
const open = () => {
	const u = new URL('hmr', location.href);
	u.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
	const w = new WebSocket(u);
	w.onopen = () => { document.title = 'connected'; show(); };
	w.onmessage = show;
	w.onclose = () => setTimeout(open, 200);
};
open();
</script>`;
const server = http.createServer((req, res) => {
	if (req.url === '/hot.txt') { res.end(fs.readFileSync('hot.txt')); return; }
	res.writeHead(200, { 'content-type': 'text/html' });
	res.end(page);
});
server.on('upgrade', (req, s) => {
	const accept = crypto.createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
	s.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
	sockets.add(s);
	s.on('data', () => {});
	s.on('error', () => {});
	s.on('close', () => sockets.delete(s));
});
fs.writeFileSync('hot.txt', 'cold');
fs.watchFile('hot.txt', { interval: 100 }, () => {
	for (const s of sockets) s.write(Buffer.from([0x81, 6, ...Buffer.from('change')]));
});
server.listen(port, process.argv[3] || '127.0.0.1', () => console.log(`listening: http://localhost:${port}/`));
