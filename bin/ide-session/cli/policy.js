// VS Code's server, or its command line for extensions, under the site's policy:
//
//	node policy.js .../server-main.js ARGUMENT...
//
// The policy is $IDED_EXTENSIONS: "+publisher,-publisher.name,...", what is allowed and
// what is not.  VS Code has a policy of its own for this, AllowedExtensions, which no
// setting overrides, but its server has no place where an administrator could state it.
// So that is put into the server's program as it is loaded.  A program that has other
// places is not started at all.
'use strict';
const { registerHooks } = require('node:module');
const { pathToFileURL } = require('node:url');

function die(why) {
	process.stderr.write(`extensions: ${why}\n`);
	process.exit(1);
}

// As VS Code takes it: an extension's own rule comes before its publisher's.
function rules(text) {
	const found = Object.create(null); // a publisher may have any name
	for (const rule of text.split(',')) {
		if (!/^[+-][a-z0-9_-]+(\.[a-z0-9_-]+)?$/.test(rule)) die(`IDED_EXTENSIONS has a bad rule "${rule}"`);
		found[rule.slice(1)] = rule[0] === '+';
	}
	if (!Object.values(found).includes(true)) found['*'] = true;	// only some are denied
	return found;
}

const allowed = rules(process.env.IDED_EXTENSIONS ?? '');

globalThis.idedPolicy = {
	// What its policy service says.
	value: (name) => name === 'AllowedExtensions' ? JSON.stringify(allowed) : undefined,
	// What its pages begin with: they have no policy service.
	defaults: { 'extensions.allowed': allowed },
	// Of the extensions that lie there, those that may run.
	only: (extensions) => extensions.filter(({ identifier: { value } }) => {
		const id = value.toLowerCase();
		return allowed[id] ?? allowed[id.split('.', 1)[0]] ?? allowed['*'] ?? false;
	}),
};

// Each is there once.
const places = [
	['policy service', /getPolicyValue\(\)\{\}(?=getPolicyValueSource\(\)\{\})/g,
		'getPolicyValue(name){return idedPolicy.value(name)}'],
	['policy configuration', /(?<=this\.policyConfiguration=)[\w$]+ instanceof [\w$]+\?new [\w$]+:(?=this\._register\()/g, ''],
	['list of extensions', /(return [\w$]+\([\w$]+,)([\w$]+,[\w$]+,[\w$]+)(,this\._logService\)\})(?=async _scanDevelopedExtensions\()/g,
		'$1...[$2].map(idedPolicy.only)$3'],
	['page', /(?<==\{)(?=remoteAuthority:[\w$]+,serverBasePath:)/g, 'configurationDefaults:idedPolicy.defaults,'],
];

function edit(text) {
	for (const [what, place, by] of places) {
		const n = text.match(place)?.length ?? 0;
		if (n !== 1) die(`this VS Code's server has ${n} places for the ${what}: it is not started without its policy`);
		text = text.replace(place, by);
	}
	return text;
}

process.argv.splice(1, 1);
const main = pathToFileURL(process.argv[1]).href;
const hooks = registerHooks({
	load(url, context, next) {
		const loaded = next(url, context);
		return url === main ? { ...loaded, source: edit(loaded.source.toString()) } : loaded;
	},
});
import(main).then(() => hooks.deregister(), (e) => die(e.stack));
