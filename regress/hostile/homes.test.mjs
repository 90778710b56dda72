// Homes that are not as they must be: said clearly, to the user and in the log; no
// part of a sandbox stays behind, and nothing is taken away that ided did not make.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { startDaemon, processes, waitFor, password } from '../system/daemon.mjs';
import { probe } from './tables.mjs';

let d, home, uid, cookie;
const folders = ['data', 'settings', 'extensions', 'workspaces', 'logs'];
before(async () => {
	// Folders: root can put things into them while nobody uses them.
	d = await startDaemon({ users: ['ann', 'bob'], network: 'none', ratelimit: 'login 100000 per 15m',
		isolation: 'storage 5G by accounting' });
	cookie = await d.login('ann');
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
	home = `${d.data}/home/ann`;
	uid = fs.statSync(home).uid;
	await stopped();
});
after(() => d?.stop());

async function stopped() {
	d.ctl(['sandbox', 'stop', 'ann']);
	await waitFor('its end', () => !d.sandboxes().some((s) => s.user === 'ann'));
}

// A picture of what is there, links not followed.
function picture(path, depth = 3) {
	let st;
	try { st = fs.lstatSync(path); } catch { return null; }
	const p = { mode: st.mode, uid: st.uid, gid: st.gid, ino: st.ino, to: st.isSymbolicLink() ? fs.readlinkSync(path) : undefined };
	if (st.isDirectory() && depth > 0)
		p.in = Object.fromEntries(fs.readdirSync(path).sort().map((n) => [n, picture(`${path}/${n}`, depth - 1)]));
	return p;
}

async function nothingLeft() {
	await waitFor('the sandbox to be gone', () => !d.sandboxes().some((s) => s.user === 'ann'));
	await waitFor('its processes to be gone', () => processes().every((p) => p.uid !== uid));
	assert.equal(fs.existsSync(`${d.runtime}/sandbox/${uid}`), false, 'its runtime folder');
	await waitFor('its control groups to go', () => d.strangers().size <= 2);
	assert.doesNotMatch(fs.readFileSync('/proc/mounts', 'latin1'), new RegExp(`${d.dir}/.*home`));
}

// With what `spoil' made of the home: refused in these words, by browser and by
// idectl, and as it was afterwards.
async function refused(words, status) {
	const was = picture(`${d.data}/home`);
	d.log = '';
	const r = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
	assert.ok([].concat(status).includes(r.status), `${r.status}: ${r.body}`);
	const seen = r.body.replace(/&#39;|&#x27;/g, "'").replace(/&quot;/g, '"');
	assert.match(seen, words);
	await nothingLeft();
	const x = d.ctl(['sandbox', 'exec', 'ann', '--', 'true']);
	assert.equal(x.status, 1);
	assert.match(x.err, words);
	await nothingLeft();
	await waitFor('the log', () => d.log.split('\n').some((l) => /sandbox\.failed.*user="ann"/.test(l) && words.test(l)));
	assert.deepEqual(picture(`${d.data}/home`), was, 'nothing was changed');
}

// The home or a folder in it is put aside, something else is there, and it comes back.
async function instead(path, make, words, status) {
	fs.renameSync(path, `${d.dir}/aside`);
	try {
		make(path);
		await refused(words, status);
	} finally {
		fs.rmSync(path, { recursive: true, force: true });
		fs.renameSync(`${d.dir}/aside`, path);
	}
}

const things = (owner) => ({
	'a link to a folder': [(p) => fs.symlinkSync(`${d.dir}/aside`, p), /symbolic link where a folder is expected: remove it/],
	'a link to nothing': [(p) => fs.symlinkSync('/nonexistent', p), /symbolic link where a folder is expected: remove it/],
	'a link to itself': [(p) => fs.symlinkSync(p, p), /symbolic link where a folder is expected: remove it/],
	'a link to /etc': [(p) => fs.symlinkSync('/etc', p), /symbolic link where a folder is expected: remove it/],
	'a fifo': [(p) => { spawnSync('mkfifo', [p]); fs.lchownSync(p, owner, owner); }, /is no folder: remove it/],
	'a file': [(p) => { fs.writeFileSync(p, 'kept'); fs.lchownSync(p, owner, owner); }, /is no folder: remove it/],
	'a device': [(p) => spawnSync('mknod', ['-m', '666', p, 'c', '1', '3']), /is no folder: remove it/],
	'a socket': [(p) => { const s = net.createServer().listen(p); s.unref(); }, /is no folder: remove it/],
});

test('something else where the home is', async (t) => {
	for (const [what, [make, words]] of Object.entries(things(0)))
		await t.test(what, () => instead(home, async (p) => make(p), new RegExp(`home of ann.*${words.source}`), [400, 403, 503]));
});

test('something else where a folder of the home is', async (t) => {
	for (const [i, [what, [make, words]]] of Object.entries(things(uid)).entries()) {
		const name = folders[i % folders.length];
		await t.test(`${what}: ${name}`, () => instead(`${home}/${name}`, make, new RegExp(`folder ${name} in the home of ann.*${words.source}`), [400, 403, 503]));
	}
});

test("a home that is another's, or open to others", async (t) => {
	const cases = { "root's": [0, 0o700, /home of ann belongs to uid 0, not to \d+: move it away or give it to its user/],
		"another user's": [uid + 1, 0o700, /home of ann belongs to uid \d+, not to \d+/],
		"nobody's": [65534, 0o700, /home of ann belongs to uid 65534/],
		"its group's to write": [uid, 0o770, /home of ann may be written to by others \(mode 0770\): make it 0700/],
		"all the world's to write": [uid, 0o777, /may be written to by others \(mode 0777\)/] };
	for (const [what, [owner, mode, words]] of Object.entries(cases))
		await t.test(what, async () => {
			fs.chownSync(home, owner, owner);
			fs.chmodSync(home, mode);
			try { await refused(words, [403, 503]); } finally { fs.chownSync(home, uid, uid); fs.chmodSync(home, 0o700); }
		});
});

test("a folder of the home that is another's, or closed to its own user", async (t) => {
	const cases = { "root's": [0, 0o700, /folder data in the home of ann belongs to another user/],
		"root's, for all to read": [0, 0o755, /folder data in the home of ann belongs to another user/],
		closed: [uid, 0, /folder data in the home of ann cannot be opened by its own user \(mode 0000\): make it 0700/] };
	for (const [what, [owner, mode, words]] of Object.entries(cases))
		await t.test(what, async () => {
			fs.chownSync(`${home}/data`, owner, owner);
			fs.chmodSync(`${home}/data`, mode);
			try { await refused(words, [403, 503]); } finally { fs.chownSync(`${home}/data`, uid, uid); fs.chmodSync(`${home}/data`, 0o700); }
		});
});

test('what a start that died has left is cleared; what it has not made is not', async () => {
	fs.renameSync(home, `${d.dir}/aside`);
	const fresh = `${d.data}/home/.new-${uid}`;
	try {
		// Empty, as home_make leaves it: gone with the next start.
		fs.mkdirSync(fresh, { mode: 0o700 });
		d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
		assert.equal(fs.existsSync(fresh), false);
		await stopped();
		fs.rmSync(home, { recursive: true });
		// With a file in it, or no folder at all: nobody of ided's put it there.
		fs.mkdirSync(fresh);
		fs.writeFileSync(`${fresh}/kept`, 'kept');
		await refused(/home of ann: \.new-\d+ is in the way, in the folder of homes: remove it/, 503);
		fs.rmSync(fresh, { recursive: true });
		fs.symlinkSync('/etc', fresh);
		await refused(/home of ann: \.new-\d+ is in the way/, 503);
	} finally {
		fs.rmSync(fresh, { recursive: true, force: true });
		fs.rmSync(home, { recursive: true, force: true });
		fs.renameSync(`${d.dir}/aside`, home);
	}
});

test('names: too long, of the wrong letters, of nobody', async () => {
	for (const name of ['a'.repeat(33), 'a'.repeat(255), 'a'.repeat(5000), '../bob', 'bob/../ann', '..', '.', '-ann', 'Ann', 'a b', 'a\nb', 'ann\u0000', '\u00e4nn', '%s%n', '.new-1']) {
		const safe = name.replaceAll('\u0000', '');
		const add = d.ctl(['user', 'add', '--', safe], `${password}\n`);
		if (safe === name) assert.notEqual(add.status, 0, `added: ${name}`);
		if (safe !== name) continue;
		for (const args of [['sandbox', 'exec', name, '--', 'true'], ['sandbox', 'stop', name], ['sandbox', 'show', name]]) {
			const r = d.ctl(args);
			assert.notEqual(r.status, 0, `${args}`);
			assert.ok(r.err.length > 0 && r.err.length < name.length + 200 && r.err.trim().split('\n').length <= 3, r.err);
		}
	}
	const r = d.ctl(['sandbox', 'exec', 'nobody-here', '--', 'true']);
	assert.equal(r.status, 1);
	assert.match(r.err, /no such user|unknown user|nobody-here/);
	assert.deepEqual(fs.readdirSync(`${d.data}/home`).sort(), fs.existsSync(`${d.data}/home/bob`) ? ['ann', 'bob'] : ['ann']);
	assert.deepEqual(fs.readdirSync(`${d.runtime}/sandbox`), []);
});

test('the longest name there may be has a home and a sandbox', async () => {
	const name = `a${'b'.repeat(31)}`;
	d.addUser(name);
	assert.equal(d.ok(['sandbox', 'exec', name, '--', 'sh', '-c', 'id -un; hostname; pwd']), `${name}\n${name}\n/home/${name}\n`);
	d.ok(['sandbox', 'stop', name]);
});

test('races: whatever a process of the user swaps while a sandbox starts, nothing outside is touched', async () => {
	// Where all may write: what is made or changed there would show.
	const target = `${d.dir}/target`;
	fs.mkdirSync(target);
	fs.chmodSync(target, 0o777);
	for (const name of folders) fs.mkdirSync(`${target}/${name}`);
	fs.writeFileSync(`${target}/ide.log`, 'kept');
	const was = picture(target);
	let started = 0, refusals = 0;
	for (const name of ['data', 'logs', 'settings']) {
		// A process that should not be, with a foot in the home.
		const p = spawn(probe, [], { cwd: home, uid, gid: uid, stdio: ['pipe', 'pipe', 'inherit'] });
		let said = '';
		p.stdout.on('data', (s) => { said += s; });
		p.stdin.write(`swap ${name} ${target}\n`);
		await waitFor('the swapping', () => /swapping/.test(said));
		for (let i = 0; i < 12; i++) {
			const r = d.ctl(['sandbox', 'exec', 'ann', '--', 'true']);
			if (r.status === 0) started++;
			else {
				refusals++;
				assert.match(r.err, /symbolic link|is no folder|File exists|No such file|folder \w+ in the home of ann/, r.err);
			}
			d.ctl(['sandbox', 'stop', 'ann']);
			await waitFor('its end', () => !d.sandboxes().some((s) => s.user === 'ann'));
		}
		p.stdin.end();
		await new Promise((r) => p.on('close', r));
		assert.match(said, /\d+ times/);
		for (const n of [`${home}/${name}`, `${home}/${name}.link`, `${home}/${name}.none`])
			if (fs.lstatSync(n, { throwIfNoEntry: false })?.isSymbolicLink()) fs.unlinkSync(n);
		for (const n of [`${home}/${name}.link`, `${home}/${name}.none`])
			if (fs.existsSync(n)) { if (fs.existsSync(`${home}/${name}`)) fs.rmSync(n, { recursive: true }); else fs.renameSync(n, `${home}/${name}`); }
	}
	assert.ok(refusals > 0, `${started} started, ${refusals} refused: it was no race`);
	assert.deepEqual(picture(target), was);
	assert.equal(fs.statSync('/etc').uid, 0);
	await nothingLeft();
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
});
