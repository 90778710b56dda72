// Accounts by idectl: what is said of them, roles, limits, links, what is left
// after one is deleted.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Daemon, password, waitFor } from './daemon.mjs';

const d = new Daemon({ isolation: 'storage 64M by accounting', conf: 'role "auditor" permit audit.read users.read\nrole "helper" permit users.manage users.read' });
const show = (name) => JSON.parse(d.ok(['-j', 'user', 'show', name]));

// Failures add up to a penalty of the address that they come from.
let addresses = 0;
const elsewhere = () => ({ localAddress: `127.0.8.${++addresses}` });

test.before(async () => {
	await d.prepare();
	await d.start();
	d.addUser('ann');
});
test.after(() => d.stop());

test('roles: built in and of the configuration, several of one user', () => {
	const roles = JSON.parse(d.ok(['-j', 'role', 'list']));
	assert.deepEqual(roles.map((r) => [r.role, r.builtin]),
		[['admin', true], ['operator', true], ['user', true], ['auditor', false], ['helper', false]]);
	assert.deepEqual(roles[3].permits, ['account.own', 'users.read', 'audit.read']);
	assert.match(d.ok(['role', 'list']), /auditor +no +account\.own,users\.read,audit\.read/);
	d.ok(['user', 'role', 'ann', 'user,auditor']);
	assert.deepEqual(show('ann').roles, ['user', 'auditor']);
	assert.equal(show('ann').role, 'user');
	const r = d.ctl(['user', 'role', 'ann', 'user,nobody']);
	assert.equal(r.status, 1);
	assert.match(r.err, /there is no role nobody/);
	assert.equal(d.ctl(['user', 'role', 'ann', 'user,user']).status, 1);
	d.ok(['user', 'role', 'ann', 'user']);
});

test('what a user is called: folded, normalized, and nothing that looks like another', () => {
	d.ok(['user', 'set', '-e', 'Ann@B\u00fccher.Example', '-n', 'A\u0308nn Smith', 'ann']);
	assert.equal(show('ann').email, 'ann@xn--bcher-kva.example');
	assert.equal(show('ann').display, '\u00c4nn Smith');
	for (const [name, why] of [['ad\u200bmin', /not seen/], ['\u0430dmin', /scripts/], ['a\u202eb', /not seen/],
		['x\u0007', /control/], ['\uff41nn', /special form/], ['a  b', /two spaces/], [' a', /begins or ends/],
		['a\u00a0b', /special form|unusual/], ['\u0301a', /mark/], [`a${'\u0300'.repeat(6)}`, /marks/]]) {
		const r = d.ctl(['user', 'set', '-n', name, 'ann']);
		assert.equal(r.status, 1, JSON.stringify(name));
		assert.match(r.err, why, JSON.stringify(name));
	}
	for (const mail of ['ann', '@x.example', 'ann@', 'a b@x.example', 'ann@\u0430pple.example', '\u0430nn@x.example'])
		assert.equal(d.ctl(['user', 'set', '-e', mail, 'ann']).status, 1, mail);
	d.addUser('ben');
	assert.match(d.ctl(['user', 'set', '-e', 'ANN@xn--bcher-kva.example', 'ben']).err, /e-mail address exists/);
	for (const name of ['r00t', 'me', 'roo-t', 'dae.mon']) {
		const r = d.ctl(['user', 'add', name], `${password}\n`);
		assert.equal(r.status, 1, name);
	}
	d.ok(['user', 'delete', 'ben']);
});

test('nobody is called, or written to, as what another user is taken for', async () => {
	const add = (name, email) => d.ctl(['user', 'add', ...(email ? ['-e', email] : []), name], `${password}\n`);
	assert.equal(add('tom10', 'Tom@example.org').status, 0);
	assert.equal(add('olga', '\u043e\u043b\u044f@example.org').status, 0);
	for (const name of ['torn10', 'tomlo', 'tom1o', 'o1ga'])
		assert.match(add(name).err, /looks like what another user has/, name);
	for (const email of ['torn@example.org', 't0m@example.org', 'tom@exarnple.org', '\u03c4\u03bfm@example.org'])
		assert.notEqual(add('someone', email).status, 0, email);
	assert.match(add('someone', 'torn@exarnp1e.org').err, /looks like what another user has/);
	assert.equal(add('someone', 'tim@example.org').status, 0);
	// Unless that is meant.
	assert.match(add('torn10').err, /idectl user add -L/);
	d.ok(['user', 'add', '-lL', 'torn10']);
	d.ok(['user', 'delete', 'torn10']);
	assert.equal(d.ctl(['user', 'set', '-e', 'torn@example.org', 'olga']).status, 1);
	d.ok(['user', 'set', '-L', '-e', 'torn@example.org', 'olga']);
	d.ok(['user', 'set', '-e', '', 'olga']);
	assert.equal(show('olga').email, '');
	// Of one's own address nothing is taken for another's.
	d.ok(['user', 'set', '-e', 'torn@example.org', 'tom10']);
	assert.match(d.ctl(['user', 'set', '-e', 'tom@example.org', 'someone']).err, /looks like/);
	// When the other one is gone the name is free; two at once are one.
	d.ok(['user', 'delete', 'tom10']);
	const post = (username) => d.request('POST', '/api/auth/register', { body: JSON.stringify({ username, password }),
		headers: { accept: 'application/json', 'content-type': 'application/json', origin: d.origin } });
	const both = (await Promise.all([post('torn10'), post('tom10')])).sort((a, b) => a.status - b.status);
	assert.deepEqual(both.map((r) => r.status), [201, 400], both.map((r) => r.body).join());
	assert.ok(both[1].json.error.details.field === 'username', both[1].body);
	for (const u of ['olga', 'someone']) d.ok(['user', 'delete', u]);
	d.ctl(['user', 'delete', 'tom10']);
	d.ctl(['user', 'delete', 'torn10']);
});

test('what is kept of a user beside: an object, whole or not at all', () => {
	d.ok(['user', 'add', '-l', '-m', '{"team": "a", "n": [1, {"x": null}]}', 'meta']);
	assert.deepEqual(show('meta').metadata, { team: 'a', n: [1, { x: null }] });
	assert.match(d.ok(['user', 'show', 'meta']), /metadata\nn +\[1,\{"x":null\}\]\nteam +a\n/);
	for (const [bad, why] of [['[1]', /one JSON object/], ['{"a":1,"a":2}', /one JSON object/], ['{', /one JSON object/], [`{"a":"${'x'.repeat(1100)}"}`, /at most 1023 bytes/]]) {
		const r = d.ctl(['user', 'set', '-m', bad, 'meta']);
		assert.equal(r.status, 1, bad.slice(0, 20));
		assert.match(r.err, why);
	}
	assert.equal(show('meta').version, 1);
	d.ok(['user', 'set', '-m', '{}', '-n', 'Meta', 'meta']);
	assert.deepEqual([show('meta').metadata, show('meta').display, show('meta').version], [{}, 'Meta', 2]);
	d.ok(['user', 'set', '-n', '', 'meta']);
	assert.equal(show('meta').display, '');
	d.ok(['user', 'delete', 'meta']);
});

test('passwords: not one of the commonest, not the name, of some length and classes', () => {
	for (const [pw, why] of [['Password1234', /commonest/], ['Short-1a', /12 characters/], ['aaaaaaaaaaaa', /kinds/],
		['Xx-carol-1234', /name/]]) {
		const r = d.ctl(['user', 'add', 'carol'], `${pw}\n`);
		assert.equal(r.status, 1, pw);
		assert.match(r.err, why, pw);
	}
});

test('lists: found by text, role and state, page after page', () => {
	for (let i = 0; i < 5; i++) d.addUser(`list${i}`, i % 2 ? 'operator' : 'user');
	const names = (...a) => JSON.parse(d.ok(['-j', 'user', 'list', ...a])).map((u) => u.name);
	assert.deepEqual(names('-f', 'LIST'), ['list0', 'list1', 'list2', 'list3', 'list4']);
	assert.deepEqual(names('-f', 'list', '-r', 'operator'), ['list1', 'list3']);
	d.ok(['user', 'disable', 'list2']);
	assert.deepEqual(names('-s', 'disabled'), ['list2']);
	assert.deepEqual(names('-f', 'nobody has this'), []);
	assert.deepEqual(names('-f', '\u00c4NN'), ['ann']);
});

test('a link sets a password, once; the old one is void at once', async () => {
	const cookie = await d.login('ann');
	const { link } = JSON.parse(d.ok(['-j', 'user', 'reset', 'ann']));
	assert.match(link, /^\/reset\?token=[0-9a-f]{64}$/);
	assert.equal((await d.request('GET', '/api/me', { headers: { cookie, accept: 'application/json' } })).status, 401);
	await assert.rejects(d.login('ann', password, elsewhere()), /401/);
	assert.match((await d.request('GET', link)).body, /name="token" value="[0-9a-f]{64}"/);
	const token = link.slice(-64);
	assert.match((await d.post('/reset', { token, password: 'short' })).body, /at least 12/);
	assert.equal((await d.post('/reset', { token, password })).status, 303);
	assert.equal((await d.post('/reset', { token, password })).status, 400);
	assert.equal((await d.post('/reset', { token: 'x', password })).status, 400);
	await d.login('ann');
});

test('a password that must be changed: a browser is led to the page that does it', async () => {
	const fresh = `${password}-Fresh1`;
	d.ok(['user', 'add', '-c', 'mia'], `${password}\n`);
	const cookie = await d.login('mia');
	const other = await d.login('mia');
	const page = (url, c = cookie) => d.request('GET', url, { headers: { cookie: c } });
	for (const url of ['/', '/ide/']) {
		const r = await page(url);
		assert.deepEqual([r.status, r.headers.location], [302, '/password'], url);
	}
	// A program is told, and led nowhere.
	assert.equal((await d.request('GET', '/ide/', { headers: { cookie, accept: 'application/json' } })).status, 403);
	const form = await page('/password');
	assert.equal(form.status, 200);
	assert.match(form.body, /Choose a password of your own/);
	const change = (body, from = {}) => d.post('/password', body, { ...from, headers: { cookie } });
	assert.match((await change({ current: `${password}x`, password: fresh }, elsewhere())).body, /current password is wrong/);
	assert.match((await change({ current: password, password: 'short' })).body, /at least 12/);
	assert.match((await change({ current: password, password })).body, /is the old one/);
	assert.equal((await change({ current: '', password: fresh })).status, 400);
	assert.equal((await change({ current: password, password: 'x'.repeat(1025) })).status, 400);
	assert.equal((await page('/')).headers.location, '/password');
	// From another site, nothing is changed.
	assert.equal((await d.post('/password', { current: password, password: fresh }, { headers: { cookie, origin: 'https://evil.example' } })).status, 403);
	const done = await change({ current: password, password: fresh });
	assert.deepEqual([done.status, done.headers.location], [303, '/']);
	assert.equal((await page('/')).status, 200);
	assert.equal((await page('/', other)).status, 302, 'the other session is over');
	await assert.rejects(d.login('mia', password, elsewhere()), /401/);
	assert.ok(await d.login('mia', fresh));
	assert.equal((await d.request('GET', '/password')).headers.location, '/login?to=/password');
});

test('/register: who may ask for an account is led there, told what is wrong, and what comes next', async () => {
	const german = { 'accept-language': 'de-AT' };
	const form = (body, headers = {}) => d.post('/register', body, { headers });
	assert.match((await d.request('GET', '/login')).body, /href="\/register">No account yet/);
	assert.match((await d.request('GET', '/login', { headers: german })).body, /Noch kein Konto/);
	const page = await d.request('GET', '/register', { headers: german });
	assert.deepEqual([page.status, page.headers['content-language']], [200, 'de']);
	assert.match(page.body, /E-Mail-Adresse/);
	const asked = { username: 'nora', email: 'nora@example.com', password: 'Sunny-Weather-8' };
	for (const [body, status, text] of [[{ ...asked, password: 'short' }, 400, /at least 12/], [{ ...asked, username: '' }, 400, /Missing user name/],
		[{ ...asked, username: 'r00t' }, 400, /looks like/], [{ ...asked, username: 'n'.repeat(40) }, 400, /at most 32/], [{ ...asked, password: '' }, 400, /Missing password/],
		[{ ...asked, email: 'x' }, 400, /e-mail/], [{ ...asked, email: `${'x'.repeat(300)}@example.com` }, 400, /at most 254/], [{ ...asked, username: 'ann' }, 409, /exists/],
		[{ ...asked, username: '"><script>' }, 400, /value="&quot;&gt;&lt;script&gt;"/]]) {
		const r = await form(body);
		assert.equal(r.status, status, JSON.stringify(body));
		assert.match(r.body, text, JSON.stringify(body));
		if (body.email === asked.email) assert.match(r.body, /value="nora@example.com"/);
		assert.ok(!r.body.includes('Sunny'));
	}
	assert.equal((await form(asked, { origin: 'https://evil.example' })).status, 403);
	const done = await form({ ...asked, admin: 'true', roles: 'admin' }, german);
	assert.equal(done.status, 200);
	assert.match(done.body, /muss ein Administrator Ihr Konto freigeben/);
	assert.deepEqual([show('nora').state, show('nora').roles], ['pending', ['user']]);
	await assert.rejects(d.login('nora', asked.password, elsewhere()), /401/);
	// From then on there is all that they need.
	assert.match(d.ok(['user', 'approve', 'nora']), /user nora approved; home and sandbox are ready/);
	assert.deepEqual(d.sandboxes().filter((s) => s.user === 'nora').map((s) => s.state), ['running']);
	assert.equal(fs.statSync(`${d.data}/home/nora`).uid, show('nora').uid);
	const { created, updated, last_login } = show('nora');
	assert.ok(created > Date.now() / 1000 - 600 && created <= updated && last_login === 0, JSON.stringify(show('nora')));
	assert.ok(await d.login('nora', asked.password));
	assert.ok(show('nora').last_login >= updated && show('nora').last_login <= Date.now() / 1000);
	for (const [how, link, status, next] of [['closed', false, 404], ['open', true, 303, '/login']]) {
		d.opts.auth = `registration ${how}`;
		d.write();
		d.ok(['reload']);
		await waitFor(`registration to be ${how}`, async () => (await d.request('GET', '/login')).body.includes('/register') === link &&
			(await d.request('GET', '/register')).status === (link ? 200 : 404));
		const r = await form({ ...asked, username: `nora-${how}`, email: '' });
		assert.deepEqual([r.status, r.headers.location], [status, next], how);
	}
	assert.ok(await d.login('nora-open', asked.password));
	assert.equal(d.ctl(['user', 'show', 'nora-closed']).status, 1);
});

test('limits of one user hold in the sandbox that runs, and after a restart of isolation', { timeout: 120000 }, async () => {
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
	d.ok(['user', 'limits', 'ann', 'memory=300M', 'cpu=50%', 'processes=99']);
	assert.equal(show('ann').limits.memory, 300 << 20);
	const box = () => JSON.parse(d.ok(['-j', 'sandbox', 'show', 'ann']));
	assert.equal(box().memory_max, 300 << 20);
	assert.equal(box().cpu_max, 50);
	assert.equal(box().processes_max, 99);
	for (const bad of ['memory=1M', 'processes=1', 'cpu=x', 'colour=3', 'memory=99999999999999999999'])
		assert.notEqual(d.ctl(['user', 'limits', 'ann', bad]).status, 0, bad);
	d.ok(['user', 'limits', 'ann', 'memory=none']);
	assert.notEqual(box().memory_max, 300 << 20);
	assert.equal(box().cpu_max, 50);
});

test('deleted: the workspace stays, or goes with everything that is in it', { timeout: 120000 }, async () => {
	const home = (n) => `${d.data}/home/${n}`;
	d.ok(['sandbox', 'exec', 'ann', '--', 'sh', '-c', 'echo x >data/file']);
	assert.match(d.ok(['user', 'delete', 'ann']), /user ann deleted; the home in .* stays/);
	await d.says(/sandbox\.stopped user="ann"/);
	assert.ok(fs.existsSync(`${home('ann')}/data/file`));
	d.addUser('gone');
	d.ok(['sandbox', 'exec', 'gone', '--', 'sh', '-c', 'echo x >data/file']);
	assert.match(d.ok(['user', 'delete', '-r', 'gone']), /user gone deleted, and the home removed/);
	assert.ok(!fs.existsSync(home('gone')));
	d.addUser('never');
	assert.match(d.ok(['user', 'delete', '-r', 'never']), /removed/);
	assert.equal(d.ctl(['user', 'delete', '-x', 'never']).status, 2);
	// Where nothing runs, nothing fails to stop.
	d.addUser('still');
	d.ok(['user', 'disable', 'still']);
	d.ok(['user', 'delete', 'still']);
	d.ok(['status']);
	assert.doesNotMatch(d.log, /sandbox\.stop\.failed/);
});
