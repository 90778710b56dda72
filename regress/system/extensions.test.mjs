// Which extensions of VS Code users may have, and that one from a file needs no network.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startDaemon } from './daemon.mjs';
import { makeExtension, workbenchConfig } from './extension.mjs';

const rules = 'extension allow regress, "Other.Fine"\n\textension deny "regress.bad"';
const allowed = { regress: true, 'other.fine': true, 'regress.bad': false };
let d;

before(async () => {
	d = await startDaemon({ users: ['ann'], network: 'none', ide: rules });
	inside('true');		// it has its home then
	for (const id of ['regress.good', 'regress.bad', 'other.fine', 'other.bad'])
		makeExtension(`${d.home('ann')}/${id}.vsix`, id);
}, { timeout: 120000 });
after(() => d?.stop());

const inside = (...command) => d.ctl(['sandbox', 'exec', 'ann', '--', ...command]);

test('one from a file needs no network', { timeout: 180000 }, () => {
	assert.equal(inside('cat', '/proc/net/route').out.trim().split('\n').length, 1, 'there is no way out');
	const r = d.ctl(['ext', 'install', '-u', 'ann', `${d.home('ann')}/regress.good.vsix`]);
	assert.equal(r.status, 0, r.err);
});

test("what is not allowed is refused, with VS Code's words, whatever the user's settings say", { timeout: 180000 }, () => {
	for (const dir of ['data/data/User', 'data/data/Machine'])
		assert.equal(inside('sh', '-c', `mkdir -p ${dir} && echo '{"extensions.allowed":{"*":true,"regress.bad":true}}' >${dir}/settings.json`).status, 0);
	const r = inside('code', '--install-extension', 'regress.bad.vsix', '--install-extension', 'other.bad.vsix', '--install-extension', 'other.fine.vsix');
	assert.notEqual(r.status, 0);
	assert.equal(r.err.match(/cannot be installed because it is not in the \[allowed list\]/g)?.length, 2, r.err);
	assert.match(r.out, /'other\.fine\.vsix' was successfully installed/);
	const names = fs.readdirSync(`${d.home('ann')}/extensions`).filter((n) => !/^\.|\.json$/.test(n));
	assert.deepEqual(names.filter((n) => /bad/.test(n)), []);
});

test('pages are told', { timeout: 180000 }, async () => {
	const cookie = await d.login('ann');
	const page = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
	assert.equal(page.status, 200);
	const config = workbenchConfig(page.body);
	assert.deepEqual(config.configurationDefaults, { 'extensions.allowed': allowed });
	assert.ok(config.remoteAuthority && config.productConfiguration, 'the rest is as it was');
});

test('other rules are for sandboxes that are started from then on', { timeout: 180000 }, () => {
	const said = () => inside('printenv', 'IDED_EXTENSIONS').out.trim();
	const change = (from, to) => {
		fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace(from, to));
		d.ok(['reload']);
	};
	assert.equal(said(), '+regress,+other.fine,-regress.bad');
	change(rules, 'extension deny "other"');
	assert.equal(said(), '+regress,+other.fine,-regress.bad');
	d.ok(['sandbox', 'stop', 'ann']);
	assert.equal(said(), '-other');
	// All others are allowed then.
	const r = inside('code', '--install-extension', 'regress.bad.vsix', '--install-extension', 'other.bad.vsix');
	assert.notEqual(r.status, 0);
	assert.match(r.err, /the extensions from this publisher are not in the \[allowed list\]/);
	assert.match(r.out, /'regress\.bad\.vsix' was successfully installed/);
	change('extension deny "other"', '');
	d.ok(['sandbox', 'stop', 'ann']);
	assert.equal(inside('printenv', 'IDED_EXTENSIONS').status, 1);
});
