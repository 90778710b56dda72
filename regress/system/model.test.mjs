// Accounts against a model of them: operations at random, by the API and by idectl, each
// answered as the model says, and afterwards all is as the model has it; two
// administrators at one account, of whom neither undoes what the other did unseen; kill -9
// of auth and of all of ided while accounts are written.  And settings, which are written
// a second late and all at once.
//
// IDED_SEED makes the same numbers again, IDED_ROUNDS more of them.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, obj, password, sleep, waitFor } from './daemon.mjs';
import { Api, Random } from './api.mjs';

const seed = Number(process.env.IDED_SEED || Date.now() % 1e6);
const rounds = Number(process.env.IDED_ROUNDS || 0);
const random = new Random(seed);
let d, root, other;

before(async () => {
	console.log(`IDED_SEED=${seed}`);
	d = await startDaemon({ auth: 'registration approval' });
	for (const n of ['root1', 'root2']) d.addUser(n, 'admin');
	root = await Api.login(d, 'root1');
	other = await Api.login(d, 'root2');
});
after(async () => {
	root?.close();
	other?.close();
	await d?.stop();
});

// Not one that waits for it: others go on meanwhile.
const ctl = (args, input = '') => new Promise((resolve) => {
	const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
	let err = '';
	c.stdout.resume();
	c.stderr.on('data', (s) => { err += s; });
	c.stdin.on('error', () => {});
	c.stdin.end(input);
	c.on('close', (status) => resolve({ status, err }));
});

// --- the model: what an account is, and what each operation makes of it ---

const model = new Map();
const unlimited = { memory: null, storage: null, files: null, cpu: null, processes: null, sessions: null };
const blank = (username) => ({ username, email: '', displayName: '', roles: ['user'], state: 'active', mustChangePassword: false,
	resetPending: false, version: 1, metadata: {}, limits: { ...unlimited } });
const emails = ['', ...Array.from({ length: 12 }, (_, i) => `mail${i}@example.org`)];
const taken = (email, by) => email !== '' && [...model.values()].some((u) => u.email === email && u.username !== by);
const names = Array.from({ length: 24 }, (_, i) => `user${i}`);
let lastId = 0;

function fields() {
	const f = {};
	if (random.below(2)) f.email = random.of(emails.slice(1));
	if (random.below(2)) f.displayName = `Name ${random.below(1000)}`;
	if (random.below(4) === 0) f.roles = random.of([['user'], ['operator'], ['operator', 'user']]);
	if (random.below(3) === 0) f.metadata = { n: random.below(1000), of: { some: ['kind', seed] } };
	if (random.below(6) === 0) f.mustChangePassword = random.below(2) === 1;
	return f;
}

function change(u, f) {
	Object.assign(u, structuredClone(f));
	u.version++;
	return u;
}

const ok = (r) => ({ status: r.status < 300 ? 'ok' : r.status, text: r.error && JSON.stringify(r.error) });
const said = (r) => ({ status: r.status === 0 ? 'ok' : 'refused', text: r.err });
const command = async (args, input) => said(await ctl(args, input));

// Each returns what was answered and what the model expects: 'ok', a status of the
// API's, or 'refused' by idectl.
const operations = {
	async add(name) {
		const f = { ...fields(), ...(random.below(3) === 0 ? { active: random.below(2) === 1 } : {}) };
		const expected = model.has(name) || taken(f.email ?? '', name) ? 409 : 'ok';
		const got = ok(await root.call('POST', 'users', { username: name, ...(random.below(4) === 0 ? { password } : {}), ...f }));
		if (expected === 'ok') {
			const { active = true, ...rest } = f;
			model.set(name, { ...blank(name), ...structuredClone(rest), state: active ? 'active' : 'disabled' });
		}
		return [got, expected];
	},
	async register(name) {
		const email = random.of(emails);
		const expected = model.has(name) || taken(email, name) ? 409 : 'ok';
		const got = ok(await root.call('POST', 'auth/register', { username: name, password, ...(email ? { email } : {}) }));
		if (expected === 'ok') model.set(name, { ...blank(name), email, state: 'pending' });
		return [got, expected];
	},
	async patch(name) {
		const u = model.get(name);
		const f = fields();
		const stale = random.below(4) === 0;
		const version = random.below(2) ? (u?.version ?? 1) + (stale ? 1 : 0) : undefined;
		const expected = !u ? 404 : version !== undefined && version !== u.version ? 409 : taken(f.email ?? '', name) ? 409 : 'ok';
		const got = ok(await random.of([root, other]).call('PATCH', `users/${name}`, { ...f, ...(version ? { version } : {}) }));
		if (expected === 'ok') change(u, f);
		return [got, expected];
	},
	async password(name) {
		const u = model.get(name);
		const f = { displayName: `Pass ${random.below(1000)}` };
		const got = ok(await root.call('PATCH', `users/${name}`, { password: `New-Horse-${random.below(1e6)}`, ...f }));
		if (u) change(u, { ...f, resetPending: false });
		return [got, u ? 'ok' : 404];
	},
	async state(name) {
		const u = model.get(name);
		const to = random.of(['disable', 'enable']);
		const got = ok(await root.call('POST', `admin/users/${name}/${to}`, {}));
		if (u) change(u, { state: to === 'enable' ? 'active' : 'disabled' });
		return [got, u ? 'ok' : 404];
	},
	// Of one that waits, it would start a sandbox: that is another test's.
	async approve(name) {
		const u = model.get(name);
		if (u?.state === 'pending') return operations.state(name);
		return [ok(await root.call('POST', `admin/users/${name}/approve`, {})), u ? 409 : 404];
	},
	async limits(name) {
		const u = model.get(name);
		const l = random.of([{ memory: 1 << 30 }, { memory: null, cpu: 150 }, { processes: 300, sessions: 4 }, { files: 50000, storage: 1 << 30 }]);
		const got = ok(await root.call('POST', `admin/users/${name}/limits`, l));
		if (u) change(u, { limits: { ...u.limits, ...l } });
		return [got, u ? 'ok' : 404];
	},
	async reset(name) {
		const u = model.get(name);
		const got = ok(await root.call('POST', `admin/users/${name}/reset-password`, {}));
		if (u) change(u, { resetPending: true });
		return [got, u ? 'ok' : 404];
	},
	async remove(name) {
		const u = model.delete(name);
		return [ok(await root.call('DELETE', `users/${name}?workspace=keep`)), u ? 'ok' : 404];
	},
	async look(name) {
		const r = await root.call('GET', `users/${name}`);
		if (r.status === 200) same(r.data, model.get(name));
		return [ok(r), model.has(name) ? 'ok' : 404];
	},
	async ctlAdd(name) {
		const email = random.of(emails);
		const expected = model.has(name) || taken(email, name) ? 'refused' : 'ok';
		const got = await command(['user', 'add', ...(email ? ['-e', email] : []), '-n', 'By Hand', '-r', 'operator', name], `${password}\n`);
		if (expected === 'ok') model.set(name, { ...blank(name), email, displayName: 'By Hand', roles: ['operator'] });
		return [got, expected];
	},
	async ctlSet(name) {
		const u = model.get(name);
		const email = random.of(emails.slice(1));
		const expected = !u || taken(email, name) ? 'refused' : 'ok';
		const got = await command(['user', 'set', '-e', email, '-n', 'Set By Hand', name]);
		if (expected === 'ok') change(u, { email, displayName: 'Set By Hand' });
		return [got, expected];
	},
	async ctlRole(name) {
		const u = model.get(name);
		const roles = random.of([['user'], ['operator', 'user']]);
		const got = await command(['user', 'role', name, roles.join(',')]);
		if (u) change(u, { roles });
		return [got, u ? 'ok' : 'refused'];
	},
	async ctlState(name) {
		const u = model.get(name);
		const to = random.of(['disable', 'enable']);
		const got = await command(['user', to, name]);
		if (u) change(u, { state: to === 'enable' ? 'active' : 'disabled' });
		return [got, u ? 'ok' : 'refused'];
	},
	async ctlLimits(name) {
		const u = model.get(name);
		const got = await command(['user', 'limits', name, 'memory=2G', 'cpu=none']);
		if (u) change(u, { limits: { ...u.limits, memory: 2 * 2 ** 30, cpu: null } });
		return [got, u ? 'ok' : 'refused'];
	},
	async ctlPasswd(name) {
		const u = model.get(name);
		const got = await command(['user', 'passwd', '-c', name], 'Other-Horse-9\n');
		if (u) change(u, { mustChangePassword: true, resetPending: false });
		return [got, u ? 'ok' : 'refused'];
	},
	async ctlDelete(name) {
		const u = model.delete(name);
		return [await command(['user', 'delete', name]), u ? 'ok' : 'refused'];
	},
};
const weights = { add: 10, register: 4, patch: 20, password: 2, state: 5, approve: 2, limits: 4, reset: 2, remove: 4, look: 6,
	ctlAdd: 4, ctlSet: 4, ctlRole: 2, ctlState: 2, ctlLimits: 2, ctlPasswd: 1, ctlDelete: 2 };

function same(have, want) {
	const { id, created, updated, lastLogin, passwordChanged, permissions, sessions, ...rest } = have;
	assert.deepEqual({ ...rest, roles: [...rest.roles].sort() }, { ...want, roles: [...want.roles].sort() });
}

// All of it: each account, in the order of names, and what is counted of them.
async function compare() {
	const have = [];
	for (let next = ''; next !== null;) {
		const r = await root.call('GET', `users?limit=${1 + random.below(20)}${next && `&cursor=${next}`}`);
		assert.equal(r.status, 200);
		have.push(...r.data.items.filter((u) => !u.username.startsWith('root')));
		next = r.data.next;
	}
	assert.deepEqual(have.map((u) => u.username), [...model.keys()].sort());
	for (const u of have) same(u, model.get(u.username));
	const s = (await root.call('GET', 'admin/stats')).data;
	const count = (state) => [...model.values()].filter((u) => u.state === state).length;
	assert.deepEqual([s.users, s.usersActive, s.usersDisabled, s.usersPending],
		[model.size + 2, count('active') + 2, count('disabled'), count('pending')]);
	for (const u of have) lastId = Math.max(lastId, u.id);
	assert.equal(new Set(have.map((u) => u.id)).size, have.length);
}

const killAuth = async () => {
	process.kill(d.role('auth')[0].pid, 'SIGKILL');
	await waitFor('auth', () => d.ctl(['status']).status === 0);
	root.renew();
	other.renew();
};
const restart = async (signal) => {
	if (signal === 'SIGKILL') {
		for (const p of d.tree()) try { process.kill(p.pid, signal); } catch { /* gone */ }
		await d.ended;
	} else {
		await d.stop({ keep: true });
	}
	await d.start();
	root.renew();
	other.renew();
};

test('operations at random, by the API and by idectl, do what the model says', async () => {
	const total = 160 + 20 * rounds;
	const done = {};
	for (let i = 0; i < total; i++) {
		const what = random.weighed(weights), name = random.of(names);
		const [got, expected] = await operations[what](name);
		assert.equal(got.status, expected, `seed ${seed}, operation ${i}: ${what} ${name}: ${got.text}`);
		const key = `${what} ${expected === 'ok' ? 'done' : 'refused'}`;
		done[key] = (done[key] ?? 0) + 1;
		if (i % 40 === 39) await compare();
	}
	console.log(Object.entries(done).sort().map(([k, n]) => `${k} ${n}`).join(', '));
	await compare();
	await killAuth();
	await compare();
	await restart();
	await compare();
	// A uid is never given again.
	const was = lastId;
	const r = await root.call('POST', 'users', { username: 'last' });
	assert.ok(r.data.id > was);
	await root.call('DELETE', 'users/last?workspace=keep');
});

test('two administrators at one account: neither undoes unseen what the other did', async () => {
	assert.equal((await root.call('POST', 'users', { username: 'both', metadata: { n: 0 } })).status, 201);
	const times = 15;
	let told = 0;
	// Each counts one up, from what it saw; who is told that it changed looks again.
	const count = async (who) => {
		for (let i = 0; i < times;) {
			const { version, metadata } = (await who.call('GET', 'users/both')).data;
			const r = await who.call('PATCH', 'users/both', { metadata: { n: metadata.n + 1 }, version });
			if (r.status === 200) i++;
			else {
				assert.equal(r.status, 409, JSON.stringify(r.error));
				assert.match(r.error.message, /changed meanwhile/);
				told++;
			}
		}
	};
	await Promise.all([count(root), count(other)]);
	const u = (await root.call('GET', 'users/both')).data;
	assert.equal(u.metadata.n, 2 * times);
	assert.equal(u.version, 1 + 2 * times);
	console.log(`${told} times told`);
	// At once, from one version: one of them.  A password takes a while to hash: not even
	// then does it undo what came meanwhile.
	for (const body of [{ displayName: 'x' }, { password: 'Third-Horse-99' }, { roles: ['operator'] }, { email: 'both@example.org' }]) {
		const { version } = (await root.call('GET', 'users/both')).data;
		const r = await Promise.all([root.call('PATCH', 'users/both', { ...body, version }),
			other.call('PATCH', 'users/both', { displayName: 'other', version })]);
		assert.deepEqual(r.map((x) => x.status).sort(), [200, 409], JSON.stringify(body));
		const now = (await root.call('GET', 'users/both')).data;
		assert.equal(now.version, version + 1);
	}
	// Without a version, what is not named is not touched.
	const all = await Promise.all([root.call('PATCH', 'users/both', { password: 'Fourth-Horse-99' }), other.call('PATCH', 'users/both', { displayName: 'kept' }),
		root.call('POST', 'admin/users/both/limits', { cpu: 150 }), other.call('PATCH', 'users/both', { email: 'kept@example.org' })]);
	assert.ok(all.every((r) => r.status === 200));
	const now = (await root.call('GET', 'users/both')).data;
	assert.deepEqual([now.displayName, now.email, now.limits.cpu], ['kept', 'kept@example.org', 150]);
	assert.equal((await root.call('DELETE', 'users/both?workspace=keep')).status, 200);
});

test('kill -9 of auth and of ided while accounts are written: what was acknowledged is there, and nothing by half', async () => {
	const writers = Array.from({ length: 4 }, (_, i) => ({ name: `kill${i}`, acked: 0, tried: 0, api: i < 2 }));
	for (const w of writers) assert.equal((await root.call('POST', 'users', { username: w.name })).status, 201);
	const apis = await Promise.all(writers.map(() => Api.login(d, 'root1')));
	const gone = new Set(), there = new Set();
	let acks = 0;
	const write = async (w, api) => {
		const n = ++w.tried;
		const email = `${w.name}.${n}@example.org`, displayName = `N${n}`;
		const done = w.api ? (await api.call('PATCH', `users/${w.name}`, { email, displayName })).status === 200 :
			(await ctl(['user', 'set', '-e', email, '-n', displayName, w.name])).status === 0;
		if (done) { w.acked = n; acks++; }
		return done;
	};
	const come = async (round, api) => {
		for (let i = 0; ; i++) {
			const name = `come${round}-${i}`;
			if ((await api.call('POST', 'users', { username: name, email: `${name}@example.org` })).status !== 201) return;
			there.add(name);
			if (i % 2 === 0) continue;
			there.delete(name); // may be gone as soon as it is asked for
			const r = await api.call('DELETE', `users/${name}?workspace=keep`);
			if (r.status !== 200) return;
			gone.add(name);
		}
	};
	const total = rounds ? Math.min(rounds, 100) : 4;
	for (let round = 0; round < total; round++) {
		const whole = round % 2 === 1;
		const before = acks;
		let stop = false;
		const going = writers.map(async (w, i) => {
			try { while (!stop && await write(w, apis[i])); } catch { /* the connection is gone */ }
		});
		going.push(come(round, root).catch(() => {}));
		await waitFor('writes', () => acks > before + 4, 20000, 5);
		await sleep(random.below(60));
		if (whole) await restart('SIGKILL');
		else await killAuth();
		stop = true;
		for (const a of [...apis, root]) a.renew();
		await Promise.all(going);
		for (const w of writers) {
			const u = (await root.call('GET', `users/${w.name}`)).data;
			const n = Number(u.displayName.slice(1)) || 0;
			const at = `seed ${seed}, round ${round}, ${w.name}: acknowledged ${w.acked}, tried ${w.tried}, is ${JSON.stringify(u)}`;
			assert.ok(n >= w.acked && n <= w.tried, at);
			assert.equal(u.email, n ? `${w.name}.${n}@example.org` : '', at);
			assert.equal((await root.call('GET', `users?q=${w.name}.${n}@`)).data.items.length, n ? 1 : 0, at);
			// From here on: what was not acknowledged may be there, or not.
			w.acked = w.tried = n;
		}
		for (const name of there) assert.equal((await root.call('GET', `users/${name}`)).status, 200, `${name} was acknowledged and is lost`);
		for (const name of gone) assert.equal((await root.call('GET', `users/${name}`)).status, 404, `${name} was deleted and is back`);
		there.clear();
		gone.clear();
		const { users } = (await root.call('GET', 'admin/stats')).data;
		let counted = 0;
		for (let next = ''; next !== null;) {
			const r = await root.call('GET', `users?limit=100${next && `&cursor=${next}`}`);
			counted += r.data.items.length;
			next = r.data.next;
		}
		assert.equal(users, counted);
	}
	for (const a of apis) a.close();
	console.log(`${total} rounds, ${acks} changes acknowledged`);
});

const able = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;
test('settings: fifty changes in a second are one write to the disk, or two; none is lost by a stop',
	{ skip: !able && 'strace(1) cannot be run here' }, async () => {
		const out = `${d.dir}/strace`;
		const s = spawn('strace', ['-f', '-y', '-e', 'trace=fsync,fdatasync', '-o', out, '-p', String(d.role('auth')[0].pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
		const ended = new Promise((r) => s.on('close', r));
		try {
			await new Promise((r) => s.stderr.once('data', r));	// "attached"
			const writes = () => fs.readFileSync(out, 'utf8').split('\n').filter((l) => /\bf(data)?sync\([^)]*\/log\.\d+>/.test(l)).length;
			const start = performance.now();
			for (let i = 0; i < 50; i++) assert.equal((await root.call('PATCH', 'users/me/settings', { count: i, [`k${i % 7}`]: 'x'.repeat(i) })).status, 200);
			const seconds = Math.ceil((performance.now() - start) / 1000);
			assert.equal((await root.call('GET', 'users/me/settings')).data.count, 49);
			// One more, so that there is a write to wait for.
			const before = writes();
			assert.equal((await root.call('PATCH', 'users/me/settings', { count: 50 })).status, 200);
			await waitFor('the write', () => writes() > before);
			console.log(`${writes()} writes to the disk for 51 changes within ${seconds} s`);
			assert.ok(writes() <= 2 * seconds, `${writes()} writes within ${seconds} s`);
		} finally {
			s.kill('SIGINT');
			await ended;
		}
		assert.equal((await root.call('PATCH', 'users/me/settings', { count: 'last' })).status, 200);
		await restart();
		assert.equal((await root.call('GET', 'users/me/settings')).data.count, 'last');
	});
