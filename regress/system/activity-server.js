// In VS Code's place: a page for its root, with what a workbench's page ends with, and an
// echo for each WebSocket.
'use strict';
const crypto = require('crypto');
const http = require('http');

const server = http.createServer((req, res) => {
	res.setHeader('content-type', req.url.startsWith('/text') ? 'text/plain' : 'text/html; charset=utf-8');
	res.end('<!DOCTYPE html><html><body></body></html>\n');
});
server.on('upgrade', (req, s) => {
	const accept = crypto.createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
	s.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
	s.on('data', (d) => s.write(d));
	s.on('error', () => {});
});
server.listen(process.argv[process.argv.indexOf('--socket-path') + 1]);
