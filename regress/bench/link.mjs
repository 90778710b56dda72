// A slow line to a server, for all connections together: so many bits a second and
// milliseconds there and back, whoever in the browser asks; and what went through it.
import net from 'node:net';
import { freePort } from '../system/daemon.mjs';

const QUEUE = 128 * 1024; // bytes on the way to the browser, before the server is held up

// What is to happen in some ms, and after all that was said before.
function lane() {
	const queue = [];
	let last = 0, timer = null;
	const run = () => {
		while (queue.length > 0 && queue[0].at <= performance.now() + 0.5) queue.shift().fn();
		timer = queue.length > 0 ? setTimeout(run, queue[0].at - performance.now()) : null;
	};
	return (ms, fn) => {
		if (ms <= 0 && queue.length === 0) { fn(); return; }
		last = Math.max(last, performance.now() + ms);
		queue.push({ at: last, fn });
		timer ??= setTimeout(run, ms);
	};
}

export async function openLink(to) {
	const me = { bytes: 0, port: await freePort(), rate: 0, rtt: 0 };
	const down = lane();
	const held = new Set();
	let free = 0; // when the line is, ms
	let queued = 0;

	// How long until that many bytes have come down.
	function wait(n) {
		if (!me.rate) return 0;
		const now = performance.now();
		free = Math.max(free, now) + n * 8000 / me.rate;
		return free - now + me.rtt / 2;
	}
	function fromServer(server, browser, b) {
		me.bytes += b.length;
		queued += b.length;
		if (queued > QUEUE) { server.pause(); held.add(server); }
		down(wait(b.length), () => {
			queued -= b.length;
			if (queued <= QUEUE) { for (const s of held) s.resume(); held.clear(); }
			if (!browser.destroyed) browser.write(b);
		});
	}

	me.server = net.createServer({ allowHalfOpen: true }, (browser) => {
		const up = lane();
		const server = net.connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
		for (const s of [server, browser]) {
			s.setNoDelay(true);
			s.on('error', () => { server.destroy(); browser.destroy(); });
		}
		// Who leaves amid an answer does not leave a server that waits.
		browser.on('close', () => { held.delete(server); server.destroy(); });
		server.on('data', (b) => fromServer(server, browser, b));
		server.on('end', () => down(wait(0), () => browser.end()));
		// A connection takes a way there and back.
		browser.pause();
		up(me.rtt, () => {
			browser.on('data', (b) => up(me.rtt / 2, () => { if (!server.destroyed) server.write(b); }));
			browser.on('end', () => up(me.rtt / 2, () => server.end()));
			browser.resume();
		});
	});
	await new Promise((r) => me.server.listen(me.port, '127.0.0.1', r));
	me.slow = (on) => { me.rate = on ? 20e6 : 0; me.rtt = on ? 20 : 0; };
	me.close = () => me.server.close();
	return me;
}
