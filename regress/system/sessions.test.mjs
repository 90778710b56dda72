// A session that is over stays over: whatever a cookie was taken from, it opens nothing
// after logout, an administrator's word, a new password, a disabled account, a restart,
// and from nowhere else either.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { startDaemon, password, waitFor } from './daemon.mjs';

let d;
before(async () => { d = await startDaemon({ users: ['ann', 'bob'] }); });
after(() => d?.stop());

const tokens = []; // all that were given out
async function login(user, pw = password) {
	const cookie = await d.login(user, pw);
	tokens.push(cookie.split('=')[1]);
	return cookie;
}

// Every way to use a token, from here and from elsewhere.
async function uses(cookie) {
	const out = [];
	for (const localAddress of [undefined, '127.0.7.7'])
		for (const headers of [{ cookie }, { authorization: `Bearer ${cookie.split('=')[1]}` }])
			for (const url of ['/', '/api/me', '/ide/'])
				out.push((await d.request('GET', url, { headers, localAddress })).status);
	return out;
}
const open = async (cookie) => (await d.request('GET', '/', { headers: { cookie } })).status === 200;

async function over(cookie, what) {
	for (const status of await uses(cookie)) assert.ok([302, 303, 401].includes(status), `${what}: ${status}`);
}

async function restart() {
	await d.stop({ keep: true });
	await d.start();
}

test('a live session is one, from here and from elsewhere, and after a restart', async () => {
	const cookie = await login('ann');
	assert.deepEqual((await uses(cookie)).filter((s) => s === 302 || s === 401), []);
	await restart();
	assert.deepEqual((await uses(cookie)).filter((s) => s === 302 || s === 401), []);
});

test('after logout', async () => {
	const [cookie, other] = [await login('ann'), await login('ann')];
	await d.post('/logout', {}, { headers: { cookie } });
	await over(cookie, 'logged out');
	assert.ok(await open(other), 'the other one goes on');
	await restart();
	await over(cookie, 'logged out, and restarted');
	assert.ok(await open(other));
});

test('after an administrator has ended it', async () => {
	const cookie = await login('ann');
	// By its own word: others may have begun in the same second.
	const { session } = (await d.request('GET', '/api/me', { headers: { cookie } })).json.data;
	d.ok(['session', 'revoke', session]);
	await over(cookie, 'revoked');
});

test('after those of everybody were ended, which costs nothing for who has none', async () => {
	d.addUser('idle');
	const cookies = [await login('ann'), await login('ann'), await login('bob')];
	const before = d.log.length;
	assert.match(d.ok(['session', 'revoke', '-a']), /all sessions of 2 users ended/);
	for (const c of cookies) await over(c, 'everybody is out');
	await waitFor('word of the end', () => /sessions\.ended users=2 /.test(d.log.slice(before)));
	assert.equal(d.log.slice(before).match(/session\.revoked .*session="all"/g)?.length, 2);
	assert.match(d.ok(['session', 'revoke', '-a']), /all sessions of 0 users ended/);
	await restart();
	for (const c of cookies) await over(c, 'everybody is out, and restarted');
	assert.ok(await open(await login('ann')));
	d.ok(['user', 'delete', 'idle']);
});

test('after a new password', async () => {
	const [mine, other] = [await login('bob'), await login('bob')];
	d.ok(['user', 'passwd', 'bob'], 'Another-Horse-8\n');
	await over(mine, 'new password');
	await over(other, 'new password');
	await assert.rejects(d.login('bob', password, { localAddress: '127.0.7.8' }));
	assert.ok(await open(await login('bob', 'Another-Horse-8')));
	await restart();
	await over(mine, 'new password, and restarted');
});

test('after the account was disabled, enabled again, deleted, made anew', async () => {
	d.addUser('eve');
	const cookie = await login('eve');
	d.ok(['user', 'disable', 'eve']);
	await over(cookie, 'disabled');
	d.ok(['user', 'enable', 'eve']);
	await over(cookie, 'enabled again');
	const second = await login('eve');
	d.ok(['user', 'delete', 'eve']);
	await over(second, 'deleted');
	d.addUser('eve');
	await over(cookie, 'another of that name');
	await over(second, 'another of that name');
	assert.ok(await open(await login('eve')));
});

test('a killed auth forgets no end of a session', async () => {
	const cookie = await login('ann');
	const other = await login('ann');
	await d.post('/logout', {}, { headers: { cookie } });
	process.kill(d.role('auth')[0].pid, 'SIGKILL');
	await waitFor('auth', () => open(other));
	await over(cookie, 'logged out, and auth killed');
});

test('what is like a token opens nothing', async () => {
	const cookie = await login('ann');
	const token = cookie.split('=')[1];
	const raw = Buffer.from(token, 'hex');
	const [{ session }] = JSON.parse(d.ok(['-j', 'session', 'list', 'ann']));
	const like = [crypto.createHash('sha256').update(raw).digest('hex'),
		crypto.createHash('sha256').update(token).digest('hex'), token.toUpperCase(), token.slice(0, -1), `${token}0`,
		token.slice(0, -2) + ((raw[31] ^ 1).toString(16).padStart(2, '0')), raw.reverse().toString('hex'),
		'0'.repeat(64), 'f'.repeat(64), session, session.repeat(4), raw.toString('base64'), `0x${token.slice(2)}`, ` ${token}x`];
	for (const t of like) await over(`__Host-ided=${t}`, t);
	assert.ok(await open(cookie));
});

test('in the files of the store, and in the log, are no tokens', async () => {
	const cookie = await login('ann');
	await restart(); // all is written
	const live = Buffer.from(cookie.split('=')[1], 'hex');
	const files = fs.readdirSync(`${d.data}/store`, { recursive: true }).map((f) => `${d.data}/store/${f}`)
		.filter((f) => fs.statSync(f).isFile()).map((f) => fs.readFileSync(f));
	assert.ok(files.some((f) => f.includes(crypto.createHash('sha256').update(live).digest())), 'its hash is there');
	assert.ok(tokens.length >= 10);
	for (const t of tokens) {
		const raw = Buffer.from(t, 'hex');
		for (const form of [raw, t, t.toUpperCase(), raw.toString('base64').slice(0, 40), raw.toString('base64url').slice(0, 40)]) {
			assert.ok(!files.some((f) => f.includes(form)), 'a token is in the store');
			assert.ok(!(d.told + d.log).includes(form), 'a token is in the log');
		}
	}
});
