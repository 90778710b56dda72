// A slow line to a server, for all connections together: so many bits a second and
// milliseconds there and back, whoever in the browser asks; and what went through it.
import net from 'node:net';
import { freePort } from '../system/daemon.mjs';

const QUEUE = 128 * 1024; // bytes on the way to the browser, before the server is held up

export async function openLink(to) {
	const me = { bytes: 0, port: await freePort(), rate: 0, rtt: 0 };
	let free = 0; // when the line is, ms
	let queued = 0;
	const held = new Set();

	// How long until that many bytes have come down.
	function wait(n) {
		const now = performance.now();
		free = Math.max(free, now) + n * 8000 / me.rate;
		return free - now + me.rtt / 2;
	}
	function down(from, sock, b) {
		me.bytes += b.length;
		if (!me.rate) { sock.write(b); return; }
		queued += b.length;
		if (queued > QUEUE) { from.pause(); held.add(from); }
		setTimeout(() => {
			queued -= b.length;
			if (queued <= QUEUE) { for (const s of held) s.resume(); held.clear(); }
			if (!sock.destroyed) sock.write(b);
		}, wait(b.length));
	}
	const later = (fn) => (me.rate ? setTimeout(fn, me.rtt / 2) : fn());

	me.server = net.createServer({ allowHalfOpen: true }, (sock) => {
		const up = net.connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
		for (const s of [up, sock]) {
			s.setNoDelay(true);
			s.on('error', () => { held.delete(up); up.destroy(); sock.destroy(); });
		}
		up.on('data', (b) => down(up, sock, b));
		up.on('end', () => (me.rate ? setTimeout(() => sock.end(), wait(0)) : sock.end()));
		// A connection takes a way there and back.
		sock.pause();
		const begin = () => {
			sock.resume();
			sock.on('data', (b) => later(() => { if (!up.destroyed) up.write(b); }));
			sock.on('end', () => later(() => up.end()));
		};
		if (me.rate) setTimeout(begin, me.rtt); else begin();
	});
	await new Promise((r) => me.server.listen(me.port, '127.0.0.1', r));
	me.slow = (on) => { me.rate = on ? 20e6 : 0; me.rtt = on ? 20 : 0; };
	me.close = () => me.server.close();
	return me;
}
