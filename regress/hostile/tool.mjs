// Debian's own tools as clients, each connection from another address of the
// loopback range (bindsource.c), since what one is punished for is not for the
// next.
import { spawn } from 'node:child_process';
import { obj } from '../system/daemon.mjs';

// net: the second byte of the addresses, hosts: how many.
export function tool(name, args, { net, hosts = 1, ms = 120000, cwd } = {}) {
	return new Promise((resolve, reject) => {
		const env = { PATH: process.env.PATH, HOME: '/root', LANG: 'C.UTF-8', TERM: 'dumb' };
		if (net !== undefined) {
			env.LD_PRELOAD = `${obj}/regress/hostile/bindsource.so`;
			env.BINDSOURCE = `127.${net} ${hosts}`;
		}
		// Its own process group: some end only with all of their children.
		const p = spawn(name, args, { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
		let out = '';
		let err = '';
		p.stdout.on('data', (b) => { out += b; });
		p.stderr.on('data', (b) => { err += b; });
		const t = setTimeout(() => { try { process.kill(-p.pid, 'SIGKILL'); } catch { /* it has just ended */ } }, ms);
		p.on('error', (e) => reject(new Error(`${name}: ${e.message}: etc/install-deps check`)));
		p.on('close', (code, signal) => {
			clearTimeout(t);
			if (signal !== null) reject(new Error(`${name}: ${signal}\n${out.slice(-2000)}${err.slice(-2000)}`));
			else resolve({ code, out, err });
		});
	});
}
