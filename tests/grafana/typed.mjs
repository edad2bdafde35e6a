// Writes a dashboard as a program that only compiles if the dashboard is of Grafana's types. The options and fields of
// a panel and its queries have a type for each kind, so they are checked apart.
import { readFileSync } from 'node:fs';

const KINDS = { timeseries: 'timeseries', stat: 'stat', heatmap: 'heatmap', 'state-timeline': 'statetimeline' };
const SDK = '@grafana/grafana-foundation-sdk';

const dashboard = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const lines = [
    `import type { Dashboard, FieldConfig, Panel } from '${SDK}/dashboard';`,
    `import type { Dataquery } from '${SDK}/prometheus';`,
    // JSON has the text of an enumeration.
    'type Plain<T> = T extends string ? `${T}` : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;',
    // What the library adds to tell its own types apart is in no JSON.
    "type Query = Plain<Omit<Dataquery, '_implementsDataqueryVariant'>>;",
];
for (const kind of new Set(Object.values(KINDS))) lines.push(`import type * as ${kind} from '${SDK}/${kind}';`);
const check = (name, type, value) => lines.push(`export const ${name}: ${type} = ${JSON.stringify(value)};`);

const panels = dashboard.panels.map((panel, at) => {
    const kind = KINDS[panel.type];
    if (kind === undefined) throw new Error(`no types are imported for a panel of kind ${panel.type}`);
    const { targets, options, fieldConfig: { defaults: { custom, ...defaults }, overrides }, ...rest } = panel;
    check(`options${at}`, `Partial<Plain<${kind}.Options>>`, options);
    check(`defaults${at}`, 'Plain<FieldConfig>', defaults);
    if (custom) check(`custom${at}`, `Partial<Plain<${kind}.FieldConfig>>`, custom);
    targets.forEach((target, number) => check(`target${at}_${number}`, 'Query', target));
    return { ...rest, fieldConfig: { defaults, overrides } };
});
check('panels', 'Plain<Panel>[]', panels);
const { panels: _, ...rest } = dashboard;
check('dashboard', "Plain<Omit<Dashboard, 'panels'>>", rest);
console.log(lines.join('\n'));
