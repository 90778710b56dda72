// One connection to the session's socket, which is our standard input: a window of
// VS Code says that it has come, or somebody asks for one.  ide-session starts
// this for each, so that it need not read HTTP.
//
//	POST /add-session	{ entry: { workspace, socketPath } }
//	POST /delete-session	{ socketPath }
//	GET /session?filePath=	{ socketPath }
'use strict';
const http = require('http');
const net = require('net');
const windows = require('./windows.js');

const BODY_MAX = 256 * 1024;
const TIME_MS = 10000;

function body(req) {
	return new Promise((resolve, reject) => {
		const parts = [];
		let size = 0;
		req.on('data', (b) => {
			size += b.length;
			if (size > BODY_MAX) reject(new Error('the request is too long'));
			else parts.push(b);
		});
		req.on('end', () => {
			try { resolve(JSON.parse(Buffer.concat(parts).toString('utf8'))); } catch (e) { reject(e); }
		});
		req.on('error', reject);
	});
}

const routes = {
	'POST /add-session': async (req) => { windows.add((await body(req))?.entry); },
	'POST /delete-session': async (req) => { windows.remove(String((await body(req))?.socketPath)); },
	'GET /session': async (req, url) => ({ socketPath: await windows.find(url.searchParams.get('filePath') ?? undefined) ?? undefined }),
};

const server = http.createServer(async (req, res) => {
	res.setHeader('Connection', 'close');
	try {
		const url = new URL(req.url, 'http://session');
		const handler = routes[`${req.method} ${url.pathname}`];
		if (!handler) {
			res.writeHead(404).end();
			return;
		}
		const answer = await handler(req, url);
		res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer ?? {}));
	} catch (e) {
		res.writeHead(400, { 'Content-Type': 'application/json' }).end(JSON.stringify({ error: e.message }));
	}
});
const socket = new net.Socket({ fd: 0, readable: true, writable: true });
socket.on('close', () => process.exit(0));
setTimeout(() => process.exit(1), TIME_MS).unref();
server.emit('connection', socket);
