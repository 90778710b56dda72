// An ided-fetch that belongs to an attacker: whatever it says to auth, auth believes at
// most a version, goes on, and asks again when it is time.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { makeCertificate, obj, startDaemon, top, waitFor } from '../system/daemon.mjs';

const rows = [...fs.readFileSync(`${top}/privsep/msg.h`, 'utf8').matchAll(/^M\((\w+),/gm)].map((m) => m[1]);
const type = (name) => { const i = rows.indexOf(name); assert.ok(i >= 0, name); return i + 1; };
let d, programs, cookie;

// struct msg_head, and struct m_fetched.
function message({ ok = 1, version = '99.0.0', why = '', fill = 0, kind = 'FETCHED', table = 1, len, size, fd = 0, id = 0 } = {}) {
	const body = Buffer.alloc(4 + 64 + 160, fill);
	body.writeUInt32LE(ok, 0);
	body.write(version + (fill ? '' : '\0'), 4, 'latin1');
	body.write(why + (fill ? '' : '\0'), 68, 'latin1');
	const head = Buffer.alloc(16);
	head.writeUInt16LE(table, 0);
	head.writeUInt16LE(typeof kind === 'number' ? kind : type(kind), 2);
	head.writeUInt32LE(id, 4);
	head.writeUInt32LE(len ?? size ?? body.length, 8);
	head.writeUInt32LE(fd, 12);
	return Buffer.concat([head, size === undefined ? body : Buffer.alloc(size, 'x')]);
}
const say = (list) => fs.writeFileSync(`${programs}/say`, Buffer.concat(list.flatMap((m) => { const n = Buffer.alloc(4); n.writeUInt32LE(m.length); return [n, m]; })));
const words = () => d.log.match(/update\.(available|none|failed).*/g) || [];
// Of what it said before, nothing is known any more.
async function asked(list) {
	say([message({ ok: 0, version: '', why: 'before' })]);
	d.write(conf(`/${words().length}`));
	d.ok(['reload']);
	const n = words().length;
	await waitFor('the word before', () => words().some((w, i) => i >= n - 1 && /why="?before/.test(w)));
	say(list);
	const had = words().length;
	d.ok(['reload']);
	return waitFor('word of it', () => words()[had]);
}
const conf = (path = '/') => `update-check "https://127.0.0.1:1${path}" ca "${d.dir}/feed.crt"`;
const check = async () => (await d.request('GET', '/update/check', { headers: { cookie } })).json;

before(async () => {
	programs = fs.mkdtempSync('/tmp/ided-test-programs-');
	fs.chmodSync(programs, 0o755);
	for (const f of fs.readdirSync(obj).filter((n) => /^ide/.test(n) && !/\./.test(n)))
		fs.copyFileSync(f === 'ided-fetch' ? `${obj}/regress/hostile/evil_fetch` : `${obj}/${f}`, `${programs}/${f}`);
	say([]);
	d = await startDaemon({ obj: programs, level: 'debug', users: ['ann'], certificateFor: (dir) => { makeCertificate(dir); makeCertificate(dir, 'feed'); } });
	cookie = await d.login('ann');
}, { timeout: 60000 });
after(async () => { await d?.stop(); fs.rmSync(programs, { recursive: true, force: true }); });

test('what it may say is believed', async () => {
	assert.match(await asked([message()]), /^update\.available version="99\.0\.0"/);
	assert.deepEqual((({ latest, isLatest }) => [latest, isLatest])(await check()), ['99.0.0', false]);
	assert.match(await asked([message({ ok: 0, version: '', why: 'away' })]), /^update\.failed why="?away/);
});

test('all else is no answer, and nobody is told of a release', { timeout: 120000 }, async () => {
	const auth = d.role('auth')[0].pid;
	const unsound = /not sound/, broken = /^update\.failed/;
	for (const [what, list, word] of [
		['neither yes nor no', [message({ ok: 2 })], unsound], ['more than that', [message({ ok: 0xffffffff })], unsound],
		['no version', [message({ version: 'latest' })], unsound], ['an empty one', [message({ version: '' })], unsound],
		['one with a zero before it', [message({ version: '4.0139.0' })], unsound], ['one with more behind it', [message({ version: '99.0.0\n' })], unsound],
		['one with a page in it', [message({ version: '99.0.0-<script>' })], unsound],
		['texts without an end', [message({ fill: 0x39 })], unsound], ['a refusal without an end', [message({ ok: 0, fill: 0x39 })], unsound],
		['a refusal that would be lines of the log', [message({ ok: 0, version: '', why: 'x\nupdate.available version="98.0.0"\x1b[2J' })], broken],
		['nothing', [], broken], ['less', [message({ size: 100 })], broken], ['more', [message({ size: 1000 })], broken], ['a head alone', [message({ size: 0 })], broken],
		['half a head', [message().subarray(0, 7)], broken], ['another length than it has', [message({ len: 100 })], broken],
		['a descriptor that is not there', [message({ fd: 1 })], broken], ['another table', [message({ table: 2 })], broken],
		['what others say', [message({ kind: 'UPDATE', size: 0 })], broken], ["isolation's word", [message({ kind: 'JOIN_FETCH', size: 0 })], broken],
		['what nobody says', [message({ kind: 9999, size: 0 })], broken], ['no kind', [message({ kind: 0, size: 0 })], broken],
	]) {
		const r = await asked(list);
		assert.match(r, word, what);
		assert.deepEqual((({ latest, isLatest }) => [latest, isLatest])(await check()), ['unknown', true], what);
	}
	assert.ok(!/^update\.available version="98/m.test(d.log), 'nothing is a line of its own');
	// The first word counts, and there is no second.
	assert.match(await asked([message({ version: '99.1.0' }), message({ version: '99.2.0' }), message({ ok: 7 })]), /available version="99\.1\.0"/);
	assert.equal((await check()).latest, '99.1.0');
	assert.equal(d.role('auth')[0].pid, auth, 'auth has not ended over any of it');
});
