// A disk with a volatile write cache, served to the VM as NBD: what was written
// is there at once, and is kept over a power cut only once it was flushed.  Of
// what was not, a random part of the sectors survives, as on real disks.
import fs from 'node:fs';
import net from 'node:net';
import { execFileSync } from 'node:child_process';

const SECTOR = 512;
const OPT_EXPORT_NAME = 1, OPT_ABORT = 2, OPT_INFO = 6, OPT_GO = 7;
const REP_ACK = 1, REP_INFO = 3, REP_ERR_UNSUP = 0x80000001;
const CMD_READ = 0, CMD_WRITE = 1, CMD_DISC = 2, CMD_FLUSH = 3;
const FLAG_FUA = 1;
const EXPORT_FLAGS = 0x1 | 0x4 | 0x8; // flags, flush, forced unit access
const EINVAL = 22;

// Numbers that a failed run can be repeated with.
export function random(seed) {
	return () => {
		seed = (seed + 0x6d2b79f5) | 0;
		let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

export class Disk {
	constructor(path, megabytes) {
		this.path = path; // of the socket
		const image = `${path}.img`;
		fs.writeFileSync(image, '');
		fs.truncateSync(image, megabytes << 20);
		execFileSync('mkfs.ext4', ['-q', '-F', image], { stdio: 'ignore' });
		this.now = fs.readFileSync(image);
		fs.rmSync(image);
		this.stable = Buffer.from(this.now);
		this.pending = [];
		this.flushes = this.lost = 0;
		this.atFlush = null; // called in place of the next flush: the power goes there
		this.server = net.createServer((s) => this.#serve(s));
		this.sockets = new Set();
	}

	listen() {
		return new Promise((r) => this.server.listen(this.path, r));
	}

	close() {
		for (const s of this.sockets) s.destroy();
		this.server.close();
	}

	get drive() { return `nbd+unix:///?socket=${this.path}`; }

	#flush() {
		for (const w of this.pending) w.data.copy(this.stable, w.at);
		this.pending = [];
		this.flushes++;
	}

	// The power goes: every sector that was not flushed is there or is not.
	cut(rand) {
		for (const s of this.sockets) s.destroy();
		for (const w of this.pending)
			for (let o = 0; o < w.data.length; o += SECTOR)
				if (rand() < 0.5) w.data.copy(this.stable, w.at + o, o, o + SECTOR);
				else this.lost++;
		this.pending = [];
		this.stable.copy(this.now);
	}

	#serve(s) {
		this.sockets.add(s);
		s.on('close', () => this.sockets.delete(s));
		s.on('error', () => s.destroy());
		const hello = Buffer.alloc(18);
		hello.write('NBDMAGICIHAVEOPT', 0, 'latin1');
		hello.writeUInt16BE(3, 16); // fixed newstyle, no zeroes
		s.write(hello);
		let buf = Buffer.alloc(0), state = (b) => this.#clientFlags(b);
		s.on('data', (d) => {
			buf = buf.length ? Buffer.concat([buf, d]) : d;
			for (;;) {
				const r = state(buf, s);
				if (r === null) return;
				buf = buf.subarray(r.used);
				if (r.state) state = r.state;
			}
		});
	}

	#clientFlags(b) {
		return b.length < 4 ? null : { used: 4, state: (x, s) => this.#option(x, s) };
	}

	#exportInfo() {
		const e = Buffer.alloc(10);
		e.writeBigUInt64BE(BigInt(this.now.length), 0);
		e.writeUInt16BE(EXPORT_FLAGS, 8);
		return e;
	}

	#option(b, s) {
		if (b.length < 16 || b.length < 16 + b.readUInt32BE(12)) return null;
		const opt = b.readUInt32BE(8), used = 16 + b.readUInt32BE(12);
		const reply = (type, data = Buffer.alloc(0)) => {
			const h = Buffer.alloc(20);
			h.writeBigUInt64BE(0x3e889045565a9n, 0);
			h.writeUInt32BE(opt, 8);
			h.writeUInt32BE(type, 12);
			h.writeUInt32BE(data.length, 16);
			s.write(Buffer.concat([h, data]));
		};
		const transmit = (x, c) => this.#request(x, c);
		switch (opt) {
		case OPT_EXPORT_NAME:
			s.write(this.#exportInfo());
			return { used, state: transmit };
		case OPT_ABORT:
			reply(REP_ACK);
			s.end();
			return { used };
		case OPT_INFO:
		case OPT_GO:
			reply(REP_INFO, Buffer.concat([Buffer.from([0, 0]), this.#exportInfo()]));
			reply(REP_ACK);
			return { used, state: opt === OPT_GO ? transmit : undefined };
		default:
			reply(REP_ERR_UNSUP);
			return { used };
		}
	}

	#request(b, s) {
		if (b.length < 28) return null;
		const flags = b.readUInt16BE(4), type = b.readUInt16BE(6), len = b.readUInt32BE(24);
		const at = Number(b.readBigUInt64BE(16));
		const used = 28 + (type === CMD_WRITE ? len : 0);
		if (b.length < used) return null;
		const head = Buffer.alloc(16);
		head.writeUInt32BE(0x67446698, 0);
		b.copy(head, 8, 8, 16);
		let data = Buffer.alloc(0);
		if (type === CMD_DISC) {
			s.end();
			return { used };
		}
		if (at + len > this.now.length && type !== CMD_FLUSH) {
			head.writeUInt32BE(EINVAL, 4);
		} else if (type === CMD_READ) {
			data = Buffer.from(this.now.subarray(at, at + len));
		} else if (type === CMD_WRITE) {
			const w = Buffer.from(b.subarray(28, used));
			w.copy(this.now, at);
			// Of one write that is forced, no other becomes stable.
			if (flags & FLAG_FUA) w.copy(this.stable, at);
			this.pending.push({ at, data: w });
		} else if (type === CMD_FLUSH) {
			if (this.atFlush) {
				this.atFlush();
				return { used, state: () => null };
			}
			this.#flush();
		} else {
			head.writeUInt32BE(EINVAL, 4);
		}
		s.write(Buffer.concat([head, data]));
		return { used };
	}
}
