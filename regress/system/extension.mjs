// Extensions of VS Code, made up, and what its page is told.
import { execFileSync } from 'node:child_process';

// A package, of "publisher.name" in version 1.2.3, that has a command to show.
export function makeExtension(file, id, title = 'Say hello') {
	const [publisher, name] = id.split('.');
	execFileSync('python3', ['-c', `
import json, sys, zipfile
path, publisher, name, title = sys.argv[1:]
z = zipfile.ZipFile(path, "w")
z.writestr("extension.vsixmanifest", '''<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
<Metadata><Identity Language="en-US" Id="%s" Version="1.2.3" Publisher="%s"/><DisplayName>%s</DisplayName>
<Description>says hello</Description></Metadata><Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
<Dependencies/><Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json"/></Assets></PackageManifest>''' % (name, publisher, name))
z.writestr("[Content_Types].xml", '''<?xml version="1.0" encoding="utf-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension=".json" ContentType="application/json"/><Default Extension=".vsixmanifest" ContentType="text/xml"/></Types>''')
z.writestr("extension/package.json", json.dumps({"name": name, "publisher": publisher, "version": "1.2.3", "engines": {"vscode": "^1.60.0"},
  "contributes": {"commands": [{"command": "%s.say" % name, "title": title}]}}))
z.close()
`, file, publisher, name, title]);
}

// The configuration that VS Code's page has for its workbench.
export function workbenchConfig(html) {
	const text = /data-settings="([^"]*)"/.exec(html.slice(html.indexOf('vscode-workbench-web-configuration')))[1];
	return JSON.parse(text.replaceAll('&quot;', '"').replaceAll('&amp;', '&'));
}
