// Logs in by a thread of its own: what the loop of those who make a flood is behind with is
// no part of how long somebody else waits.
import https from 'node:https';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

// Each call: the answer's status, and how long it took, with its connection.
export function goodLogins(d) {
	const w = new Worker(new URL(import.meta.url), { workerData: { port: d.port, origin: d.origin } });
	const login = (username, password, localAddress) => new Promise((resolve, reject) => {
		w.once('message', (m) => (m.error ? reject(new Error(m.error)) : resolve(m)));
		w.postMessage({ username, password, localAddress });
	});
	return { login, end: () => w.terminate() };
}

if (!isMainThread) parentPort.on('message', ({ username, password, localAddress }) => {
	const body = new URLSearchParams({ username, password }).toString();
	const at = performance.now();
	const req = https.request({ host: '127.0.0.1', port: workerData.port, method: 'POST', path: '/login', agent: false, localAddress,
		servername: 'localhost', rejectUnauthorized: false,
		headers: { host: `localhost:${workerData.port}`, origin: workerData.origin, 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) } },
	(res) => {
		res.resume();
		res.on('end', () => parentPort.postMessage({ status: res.statusCode, ms: performance.now() - at }));
	});
	req.on('error', (e) => parentPort.postMessage({ error: e.message }));
	req.end(body);
});
