// asvs.table names every requirement that it is about, once; and each that is held
// names a test that is there, or a section of a page.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { top } from '../system/daemon.mjs';

const rows = fs.readFileSync(`${top}/regress/hostile/asvs.table`, 'utf8').split('\n')
	.filter((l) => l !== '' && !l.startsWith('#')).map((l) => l.split(' | ').map((s) => s.trim()));

// "3.3.2-4" is three of them.
const expand = (text) => text.trim().split(/\s+/).flatMap((s) => {
	const [, section, first, last] = /^(\d+\.\d+)\.(\d+)(?:-(\d+))?$/.exec(s);
	return Array.from({ length: (last ?? first) - first + 1 }, (_, i) => `${section}.${Number(first) + i}`);
});
const levels = {
	1: `1.2.1-5 1.3.1-2 1.5.1 2.1.1 2.2.1-2 2.3.1 3.2.1-2 3.3.1 3.4.1-2 3.5.1-3 4.1.1 4.4.1 5.2.1-2 5.3.1-2
		6.1.1 6.2.1-8 6.3.1-2 6.4.1-2 7.2.1-4 7.4.1-2 8.1.1 8.2.1-2 8.3.1 9.1.1-3 9.2.1 10.4.1-5 11.3.1-2 11.4.1
		12.1.1 12.2.1-2 13.4.1 14.2.1 14.3.1 15.1.1 15.2.1 15.3.1`,
	2: `3.3.2-4 3.4.3-6 3.5.4-5 3.7.1-2 6.1.2-3 6.2.9-12 6.3.3-4 6.4.3-4 6.5.1-5 6.6.1-3 6.8.1-4 7.1.1-3 7.3.1-2
		7.4.3-5 7.5.1-2 7.6.1-2 12.1.2-3 12.3.1-4 16.1.1 16.2.1-5 16.3.1-4 16.4.1-3 16.5.1-3`,
};

test('each requirement has its row', () => {
	const sorted = (list) => [...list].sort();
	assert.deepEqual(Object.values(levels).map((l) => expand(l).length), [70, 67]);
	for (const [level, list] of Object.entries(levels))
		assert.deepEqual(sorted(rows.filter((r) => r[1] === level).map((r) => r[0])), sorted(expand(list)));
	assert.equal(rows.length, 137);
});

test('what is held is shown where the row says', () => {
	for (const [id, , state, where, words, more] of rows) {
		assert.equal(more, undefined, id);
		assert.match(state, /^(held|part|no|none)$/, id);
		// What is not as it should be is explained.
		if (state !== 'held') assert.ok(words.length > 5, id);
		if (state === 'no' || state === 'none') {
			assert.equal(where, '-', id);
			continue;
		}
		for (const place of where.split(/; (?=[a-z]+\/[a-z-]+: |ided)/)) {
			const page = /^([\w.-]+)\((\d)\): (.+)$/.exec(place);
			const [, suite, file, name] = page ?? /^(\w+)\/([\w-]+): (.+)$/.exec(place) ?? assert.fail(`${id}: ${place}`);
			if (page) {
				const man = fs.readFileSync(`${top}/man/${page[1]}.${page[2]}`, 'utf8');
				assert.ok(man.split('\n').some((l) => l === `.Sh ${page[3]}` || l === `.Ss ${page[3]}`), `${id}: ${place}`);
				continue;
			}
			const text = fs.readFileSync(`${top}/regress/${suite}/${file}${suite === 'unit' ? '_test.c' : '.test.mjs'}`, 'utf8').replaceAll("\\'", "'");
			assert.ok(text.includes(suite === 'unit' ? `cmocka_unit_test(${name})` : name), `${id}: no test "${name}" in ${suite}/${file}`);
		}
	}
});
