// A site whose workers belong to an attacker: the same programs, but for
// ided-worker (evil_worker.c).  What the tests of it share.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

process.env.O = path.join(process.env.O || 'obj', 'regress/hostile/bin');
export const { startDaemon, stoppedUnless, ended, frugal, password, sleep, waitFor, weight } = await import('../system/daemon.mjs');
export const { Evil, table, violation, wire, read, AUTH, FAIL, STAGE, P, S, PAYLOAD_MAX, locationId, source } =
	await import('./evil.mjs');

const roles = ['auth', 'keys', 'master', 'isolation', 'zygote'];

export class Site {
	tokens = {};
	ids = {};
	uids = {};

	static async start(env = {}, conf = '', opts = {}) {
		const site = new Site();
		site.d = await startDaemon({ env, conf, users: ['ann', 'bob'], ratelimit: 'login 1000 per 15m',
			prefork: 'spare 12\nmax 4000\nper-source 100\nstartups 3000:30:4000', ...opts });
		return stoppedUnless(site.d, () => site.begin());
	}

	async begin() {
		const e = await Evil.connect(this.d.port);
		({ rows: this.rows, M: this.M, max: this.past } = await table(e));
		e.close();
		for (const user of ['ann', 'bob']) {
			const one = await Evil.connect(this.d.port);
			const w = await this.login(one, user);
			assert.equal(w.result, AUTH.ok);
			this.tokens[user] = w.token;
			this.ids[user] = w.session;
			this.uids[user] = w.uid;
			one.close();
		}
		this.spki = new crypto.X509Certificate(fs.readFileSync(`${this.d.dir}/server.crt`)).publicKey;
		this.keyid = crypto.createHash('sha256')
			.update(this.spki.export({ type: 'spki', format: 'der' })).digest();
		this.pids = this.pidsNow();
		return this;
	}

	stop() { return this.d.stop(); }

	pidsNow() { return Object.fromEntries(roles.map((r) => [r, this.d.role(r).map((p) => p.pid)])); }
	fdCount(role) { return fs.readdirSync(`/proc/${this.d.role(role)[0].pid}/fd`).length; }

	rss(role) {
		const status = fs.readFileSync(`/proc/${this.d.role(role)[0].pid}/status`, 'utf8');
		return Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]);
	}

	sessionsOf(user) { return JSON.parse(this.d.ok(['-j', 'session', 'list', user]) || '[]'); }

	// A connection, which the worker has bound to a user if one is named.
	async evil(user, from = source()) {
		const e = await Evil.connect(this.d.port, from);
		if (user) {
			const w = read.who((await e.ask('auth', this.M.AUTH_TOKEN,
				{ payload: wire.token(this.tokens[user]) })).data);
			assert.equal(w.result, AUTH.ok);
			assert.equal(w.name, user);
		}
		return e;
	}

	async login(e, user, pw = password, id = 1) {
		const r = await e.ask('auth', this.M.LOGIN, { id, payload: wire.login(user, pw), ms: 20000 });
		assert.equal(r.type, this.M.WHO, JSON.stringify(r));
		return read.who(r.data);
	}

	// The portal's rows, up to the end of them.
	async portal(e, id = 1) {
		const rows = [];
		let r = await e.ask('auth', this.M.PORTAL, { id, ms: 20000 });
		for (; r.type !== this.M.OK; r = await e.recv('auth', 20000)) {
			assert.equal(r.what, 'msg');
			assert.equal(r.id, id);
			rows.push(r);
		}
		return rows;
	}

	// Everything still runs, and does its work for somebody else.
	async alive(what) {
		assert.deepEqual(this.pidsNow(), this.pids, `${what}: processes`);
		const e = await this.evil('bob');
		const boxes = (await this.portal(e)).filter((r) => r.type === this.M.ROW_SANDBOX);
		assert.deepEqual(boxes.map((r) => read.sandbox(r.data).user), ['bob'], what);
		e.close();
		assert.equal(this.d.ctl(['status']).status, 0, what);
	}

	// In the end: the same processes, none of them larger, nobody crashed.
	async unharmed() {
		await this.alive('in the end');
		const s = JSON.parse(this.d.ok(['-j', 'status']));
		assert.equal((Array.isArray(s) ? s[0] : s).crashes, 0);
		assert.doesNotMatch(this.d.log, /BUG:|ided-(auth|keys|master|isolation)\[\d+\] (emerg|alert|critical)/);
	}
}

export const isClosed = async (e, chan) => assert.equal((await e.recv(chan)).what, 'eof', `${chan} is closed`);
