// A backup taken from under the hands of its users, put where there is nothing: who
// was there can log in, what was signed is good, the trail is whole.  And what is no
// whole backup, or would go over something, is refused before anything is touched.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { Daemon, startDaemon, obj, password, waitFor } from './daemon.mjs';

const conf = 'audit { store keep 30d }';
let d;	// who is backed up
let e;	// where it is restored
let file;
before(async () => {
	d = await startDaemon({ conf, users: ['ann', 'bob'] });
	file = `${d.dir}/first.tar`;
});
after(async () => {
	await e?.stop();
	await d?.stop();
});

const backup = (to) => new Promise((resolve) => {
	const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'backup', to]);
	let err = '';
	c.stderr.on('data', (s) => { err += s; });
	c.on('close', (status) => resolve({ status, err }));
});
const restore = (from, to, ...more) => {
	const r = spawnSync(`${obj}/idectl`, ['restore', ...more, '-d', to, from], { encoding: 'utf8' });
	return { status: r.status, out: r.stdout, err: r.stderr };
};
const left = (dir) => fs.readdirSync(dir).filter((f) => f !== 'lock');
const names = (x) => JSON.parse(x.ok(['-j', 'user', 'list'])).map((u) => u.name).sort();
// An empty folder of data beside the daemon's.
let folders = 0;
const empty = () => {
	const dir = `${d.dir}/empty${++folders}`;
	fs.mkdirSync(dir, { mode: 0o711 });
	return dir;
};
const json = (x, method, url, body, headers = {}) => x.request(method, url, { body: body && JSON.stringify(body), headers: {
	accept: 'application/json', origin: x.origin, ...(body ? { 'content-type': 'application/json' } : {}), ...headers } });

test('with writes under way: all that was answered before it, and of one moment', { timeout: 120000 }, async () => {
	const cookie = await d.login('ann');
	const tokens = (await json(d, 'POST', '/api/auth/login', { username: 'bob', password })).json.data;
	assert.equal((await json(d, 'PUT', '/api/users/me/settings', { theme: 'dark' }, { cookie })).status, 200);
	const answered = [];
	let stop = false;
	const writer = (async () => {
		for (let i = 0; !stop; i++) {
			const r = await new Promise((resolve) => {
				const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'user', 'add', '-l', `w${i}`], { stdio: 'ignore' });
				c.on('exit', resolve);
			});
			if (r === 0) answered.push(`w${i}`);
		}
	})();
	let before;
	try {
		await waitFor('writes', () => answered.length > 3);
		// Several at once and one after another: one at a time is taken.
		for (let i = 0; i < 3; i++) assert.equal((await backup(`${d.dir}/some${i}.tar`)).status, 0);
		before = [...answered];
		const r = await backup(file);
		assert.equal(r.status, 0, r.err);
	} finally {
		stop = true;
		await writer;
	}
	const st = fs.statSync(file);
	assert.equal(st.mode & 0o7777, 0o600);
	assert.deepEqual(fs.readdirSync(d.dir).filter((f) => f.includes('.part')), []);

	// Anybody's tar and sha256sum can look at it.
	const dir = empty();
	assert.equal(spawnSync('tar', ['-C', dir, '-xf', file]).status, 0);
	assert.equal(spawnSync('sha256sum', ['-c', '--quiet', '--strict', 'SHA256SUMS'], { cwd: dir }).status, 0);

	e = new Daemon({ conf });
	await e.prepare();
	let x = restore(file, e.data);
	assert.equal(x.status, 0, x.err);
	await e.start();
	const have = names(e);
	for (const n of ['ann', 'bob', ...before]) assert.ok(have.includes(n), n);
	await e.login('ann');
	const again = await e.request('GET', '/api/users/me/settings', { headers: { cookie, accept: 'application/json' } });
	assert.equal(again.status, 200, 'her session goes on');
	assert.equal(again.json.data.settings?.theme ?? again.json.data.theme, 'dark');
	const me = await json(e, 'GET', '/api/users/me', undefined, { authorization: `Bearer ${tokens.accessToken ?? tokens.access_token}` });
	assert.equal(me.status, 200, 'a token that was signed before is good');

	// The trail goes on from where it was, whole, and tells of it.
	x = e.ctl(['audit', 'verify']);
	assert.equal(x.status, 0, x.out);
	assert.match(x.out, /whole/);
	const ask = (event) => e.ok(['-j', 'audit', 'query', '-e', event]).split('\n').filter(Boolean).map((l) => JSON.parse(l)).filter((r) => r.seq);
	assert.equal(ask('backup').length, 4, 'each is recorded before it begins');
	assert.equal(ask('restored').length, 1);
	const added = ask('user.added').map((r) => r.user);
	for (const n of have) assert.ok(added.includes(n) || n === 'ann' || n === 'bob', `${n} has no record`);
	// Keys sign on: they have signed nothing later than what is there.
	const last = () => fs.readFileSync(`${e.data}/keys/audit.last`);
	const first = last();
	e.ok(['user', 'disable', 'bob']);
	e.ok(['user', 'enable', 'bob']);
	await waitFor('a signature', () => !last().equals(first));
	assert.equal(ask('audit.older').length, 0);
	assert.equal(e.ctl(['audit', 'verify']).status, 0);
});

test('into a folder, by its time; nothing is overwritten', async () => {
	const dir = empty();
	assert.equal((await backup(dir)).status, 0);
	assert.equal(left(dir).length, 1);
	assert.match(left(dir)[0], /^ided-\d{8}T\d{6}Z\.tar$/);
	const was = fs.readFileSync(file);
	const r = await backup(file);
	assert.equal(r.status, 1);
	assert.match(r.err, /first\.tar is there already, and nothing is overwritten/);
	assert.ok(fs.readFileSync(file).equals(was));
	assert.match((await backup(`${dir}/none/x.tar`)).err, /none\/x\.tar: No such file or directory/);
});

test('killed amid it, nothing is left that looks whole, and the next one is', async () => {
	for (const sig of ['SIGKILL', 'SIGTERM']) {
		const dir = empty();
		const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'backup', `${dir}/b.tar`], { stdio: 'ignore' });
		await waitFor('a file', () => left(dir).length > 0 || c.exitCode !== null, 20000, 1);
		c.kill(sig);
		await waitFor('its end', () => c.exitCode !== null || c.signalCode !== null);
		const files = left(dir);
		if (sig === 'SIGTERM' && c.exitCode !== 0 && !files.includes('b.tar')) assert.deepEqual(files, []);
		for (const f of files) {
			const r = restore(`${dir}/${f}`, '/nonexistent', '-n');
			if (f === 'b.tar') assert.equal(r.status, 0, 'what has its name is whole');
			else if (r.status !== 0) assert.match(r.err, /cut off/);
		}
		// The one that was killed is not in the way of the next.
		await waitFor('another', async () => (await backup(`${dir}/c.tar`)).status === 0);
		assert.equal(restore(`${dir}/c.tar`, '/nonexistent', '-n').status, 0);
	}
});

// idectl, killed when it is about to make the nth of the calls that change something:
// whether it came so far.
const able = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;
// A sanitizer cannot look for leaks where somebody else traces.
const traced = { encoding: 'utf8', env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' } };
const changing = ['mkdirat', 'openat', 'write', 'fsync', 'fchown', 'fchownat', 'renameat', 'unlinkat', 'link', 'unlink'];
function killedAt(call, n, args) {
	const r = spawnSync('strace', ['-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${n}`, `${obj}/idectl`, ...args], traced);
	return r.signal === 'SIGKILL' || r.status === 137;
}
// How often each of them is called, if nothing happens.
function calls(args) {
	const r = spawnSync('strace', ['-qq', '-e', `trace=${changing.join()}`, '-o', `${d.dir}/calls`, `${obj}/idectl`, ...args], traced);
	assert.equal(r.status, 0, r.stderr);
	const n = {};
	for (const l of fs.readFileSync(`${d.dir}/calls`, 'utf8').split('\n')) {
		const call = /^(\w+)\(/.exec(l)?.[1];
		if (call) n[call] = (n[call] ?? 0) + 1;
	}
	return n;
}
// Each of them, or of those that are many the first, the last and some between.
const moments = (n) => Object.entries(n).flatMap(([call, times]) => Array.from({ length: times }, (_, i) => i + 1)
	.filter((i) => process.env.IDED_ROUNDS || i <= 2 || i > times - 2 || i % Math.ceil(times / 3) === 0).map((i) => [call, i]));

test('killed at every call of it that changes something: a backup is whole, or has no name', { skip: !able && 'strace(1) cannot be run here' }, async () => {
	const args = (dir) => ['-s', `${d.runtime}/ided.sock`, 'backup', `${dir}/b.tar`];
	const n = calls(args(empty()));
	assert.ok(n.write > 5 && n.fsync === 2 && n.link === 1, JSON.stringify(n));
	let killed = 0, whole = 0;
	for (const [call, i] of moments(n)) {
		const dir = empty();
		// One that was killed is let go by auth when it has seen it.
		await waitFor('its turn', () => { const k = killedAt(call, i, args(dir)); if (k) killed++; return k || left(dir).length > 0; });
		for (const f of left(dir)) {
			if (f !== 'b.tar') { assert.match(f, /^b\.tar\.\w{6}\.part$/); continue; }
			assert.equal(restore(`${dir}/b.tar`, '/nonexistent', '-n').status, 0, `${call} ${i}`);
			whole++;
		}
	}
	console.log(`${killed} times killed; ${whole} backups had their name, and were whole`);
	assert.ok(killed > 10 && whole > 0 && whole < killed / 2, `${killed} ${whole}`);
});

test('a restore killed at every call that changes something: nothing, all of it, or half of it, of which ided and idectl say what to do', { timeout: 300000, skip: !able && 'strace(1) cannot be run here' }, async () => {
	const small = `${d.dir}/small.tar`;
	await waitFor('a backup', async () => (await backup(small)).status === 0);
	const n = calls(['restore', '-d', empty(), small]);
	assert.ok(n.renameat === 2 && n.fchown > 5 && n.fsync > 10, JSON.stringify(n));
	const f = new Daemon({ conf });
	await f.prepare();
	const was = { nothing: 0, half: 0, all: 0 };
	try {
		let told;
		for (const [call, i] of moments(n)) {
			const dir = f.data;
			for (const x of ['store', 'keys', 'restore-unfinished', 'lock']) fs.rmSync(`${dir}/${x}`, { recursive: true, force: true });
			assert.ok(killedAt(call, i, ['restore', '-d', dir, small]), `${call} ${i}`);
			const mine = () => left(dir).filter((x) => x !== 'home' && x !== 'volume').sort();
			const there = mine();
			const what = there.includes('restore-unfinished') ? 'half' : there.length > 0 ? 'all' : 'nothing';
			if (what === 'all') assert.deepEqual(there, ['keys', 'store'], `${call} ${i}`);
			const first = was[what]++ === 0;
			if (what === 'half') {
				const r = restore(small, dir);
				assert.equal(r.status, 1);
				assert.match(r.err, /left by a restore that was interrupted: remove it/);
				assert.deepEqual(mine(), there, 'nothing is touched');
				// Where both are in their place already, too.
				if (first || there.length === 3) await assert.rejects(f.start(), (e) => { told = /left by a restore that was interrupted.*/.exec(e.message)?.[0]; return true; });
				assert.ok(told, 'ided does not start, and says why');
				for (const x of there) fs.rmSync(`${dir}/${x}`, { recursive: true, force: true });
			}
			if (what !== 'all') assert.equal(restore(small, dir).status, 0, `${call} ${i}`);
			if (!first) continue;
			await f.start();
			assert.ok(await f.login('ann'), what);
			assert.equal(f.ctl(['audit', 'verify']).status, 0);
			await f.stop({ keep: true });
		}
	} finally {
		await f.stop();
	}
	console.log(`there was nothing of it ${was.nothing} times, half ${was.half}, all ${was.all}`);
	assert.ok(was.nothing > 0 && was.half > 10, JSON.stringify(was));
});

test('a store that is in its place is no restore\'s, whenever one into it is killed', { skip: !able && 'strace(1) cannot be run here' }, () => {
	const dir = empty();
	assert.equal(restore(file, dir).status, 0);
	for (const call of ['mkdirat', 'openat', 'unlinkat', 'write'])
		for (let i = 1; killedAt(call, i, ['restore', '-d', dir, file]); i++)
			assert.deepEqual(left(dir).sort(), ['keys', 'store'], `${call} ${i}`);
});

test('auth is killed amid it: no backup, and it says so', async () => {
	const dir = empty();
	// Stopped, it takes nothing, and auth waits for it.
	const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'backup', `${dir}/b.tar`], { stdio: ['ignore', 'ignore', 'pipe'] });
	let err = '';
	c.stderr.on('data', (s) => { err += s; });
	const ended = new Promise((r) => c.on('close', r));
	const auth = d.role('auth')[0];
	await waitFor('a file', () => left(dir).length > 0, 20000, 1);
	c.kill('SIGSTOP');
	process.kill(auth.pid, 'SIGKILL');
	await waitFor('its end', () => d.role('auth').every((p) => p.pid !== auth.pid));
	c.kill('SIGCONT');
	if (await ended !== 0) {
		assert.match(err, /ided/);
		assert.deepEqual(left(dir), []);
	} else {
		assert.equal(restore(`${dir}/b.tar`, '/nonexistent', '-n').status, 0);
	}
	await waitFor('auth', () => d.ctl(['status']).status === 0, 20000, 100);
	assert.equal((await backup(`${dir}/c.tar`)).status, 0);
});

test('what is cut, changed, added to or none of ours is refused, and nothing is touched', () => {
	const whole = fs.readFileSync(file);
	const bad = `${d.dir}/bad.tar`;
	const to = empty();
	const refused = (bytes, why, what) => {
		fs.writeFileSync(bad, bytes);
		const r = restore(bad, to);
		assert.equal(r.status, 1, what);
		assert.match(r.err, why, what);
		assert.deepEqual(left(to), [], what);
	};
	for (let i = 1; i <= 12; i++) {
		refused(whole.subarray(0, Math.floor(whole.length * i / 13)), /cut off|damaged|no backup/, `cut ${i}`);
		const one = Buffer.from(whole);
		one[Math.floor((whole.length - 1025) * i / 13)] ^= 0x10;
		refused(one, /damaged|no backup|cut off|none of ided's|sums do not fit/, `changed ${i}`);
	}
	refused(whole.subarray(0, whole.length - 1), /cut off/, 'the last byte');
	refused(whole.subarray(0, whole.length - 1024), /cut off/, 'its end');
	refused(Buffer.concat([whole, Buffer.alloc(512)]), /something follows/, 'added to');
	refused(Buffer.alloc(0), /cut off/, 'empty');
	refused(Buffer.alloc(10240), /no backup of ided's/, 'blank');
	// An archive that leads elsewhere.
	for (const name of ['../evil', '/etc/evil', 'store/../../evil', 'store/audit/../../evil', 'keys/.evil', 'home/ann/evil']) {
		const dir = `${d.dir}/made`;
		fs.rmSync(dir, { recursive: true, force: true });
		fs.mkdirSync(dir);
		fs.writeFileSync(`${dir}/x`, 'x');
		fs.writeFileSync(`${dir}/ided-backup`, 'ided backup 1\nmade 2026-01-01T00:00:00.000Z\n');
		spawnSync('tar', ['-C', dir, '--format=ustar', '--owner=0', '--group=0', '--mode=600', '-P', `--transform=s|^x$|${name}|`, '-cf', bad, 'ided-backup', 'x']);
		const r = restore(bad, to);
		assert.equal(r.status, 1, name);
		assert.match(r.err, /none of ided's|no backup|damaged/, name);
		assert.ok(!fs.existsSync(`${d.dir}/evil`) && !fs.existsSync('/etc/evil'));
	}
	assert.deepEqual(left(to), []);
});

test('a running ided, and what is there already, are left alone', () => {
	assert.match(restore(file, d.data).err, /is in use by a running ided: stop it first/);
	for (const name of ['store', 'keys']) {
		const to = empty();
		fs.mkdirSync(`${to}/${name}`);
		assert.equal(restore(file, to).status, 0, 'an empty one is no obstacle');
		const other = empty();
		fs.mkdirSync(`${other}/${name}`);
		fs.writeFileSync(`${other}/${name}/precious`, 'x');
		const r = restore(file, other);
		assert.equal(r.status, 1);
		assert.match(r.err, new RegExp(`${name} holds something already`));
		assert.deepEqual(left(other), [name]);
	}
	// Homes are not in it: they may be there.
	const homes = empty();
	fs.mkdirSync(`${homes}/home/ann`, { recursive: true });
	assert.equal(restore(file, homes).status, 0);
	assert.deepEqual(left(homes).sort(), ['home', 'keys', 'store']);
	assert.match(restore(file, `${d.dir}/nowhere`).err, /must exist/);
	const open = empty();
	fs.chmodSync(open, 0o777);
	assert.match(restore(file, open).err, /only root may write to it/);
});

test('half a restore is no store: ided does not start beside it', async () => {
	await e.stop({ keep: true });
	fs.mkdirSync(`${e.data}/restore-unfinished`);
	await assert.rejects(e.start(), /left by a restore that was interrupted/);
	assert.match(restore(file, e.data).err, /left by a restore that was interrupted: remove it/);
	fs.rmdirSync(`${e.data}/restore-unfinished`);
	await e.start();
	await e.login('bob');
});
