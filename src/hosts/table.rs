//! The hosts: where each keeps its files and what an entry looks like there.

use super::edit::Format;
use super::host::{Command, Fixed, Host, Shape};
use super::place::{config, home, named_by, perhaps, roaming, support};

/// `mcpServers` with command, args and env: what most hosts have.
const COMMON: Shape = Shape {
    at: &[&["mcpServers"]],
    listed: false,
    command: Command::Apart("command", "args"),
    env: "env",
    first: &[],
    last: &[],
};

/// The same with the kind of server said.
const TYPED: Shape = Shape {
    first: &[("type", Fixed::Text("stdio"))],
    ..COMMON
};

/// `servers`, as Microsoft's editors have it.
const SERVERS: Shape = Shape {
    at: &[&["servers"]],
    ..TYPED
};

/// What a host has unless it says otherwise.
const PLAIN: Host = Host {
    id: "",
    name: "",
    format: Format::Json,
    mac: &[],
    linux: &[],
    windows: &[],
    project: &[],
    shadowed: &[],
    shape: COMMON,
    blank: "",
    notes: &[],
    expands: &[],
    scopes: None,
};

/// All hosts, in the order in which they are shown.
pub(super) static HOSTS: [Host; 21] = [
    Host {
        id: "claude-desktop",
        name: "Claude Desktop",
        mac: &[support("Claude/claude_desktop_config.json")],
        linux: &[config("Claude/claude_desktop_config.json")],
        windows: &[roaming("Claude/claude_desktop_config.json")],
        notes: &["quit Claude Desktop and start it again: it reads the file at its start only"],
        ..PLAIN
    },
    Host {
        id: "claude-code",
        name: "Claude Code",
        mac: &[
            named_by("CLAUDE_CONFIG_DIR", ".claude.json"),
            home(".claude.json"),
        ],
        linux: &[
            named_by("CLAUDE_CONFIG_DIR", ".claude.json"),
            home(".claude.json"),
        ],
        windows: &[
            named_by("CLAUDE_CONFIG_DIR", ".claude.json"),
            home(".claude.json"),
        ],
        project: &[".mcp.json"],
        shadowed: &[".github/mcp.json"],
        shape: TYPED,
        notes: &["sessions that run already need a restart"],
        expands: &["${"],
        scopes: Some(("projects", "mcpServers")),
        ..PLAIN
    },
    Host {
        id: "cursor",
        name: "Cursor",
        mac: &[home(".cursor/mcp.json")],
        linux: &[home(".cursor/mcp.json")],
        windows: &[home(".cursor/mcp.json")],
        project: &[".cursor/mcp.json"],
        notes: &["switch the server on in Cursor's settings, under MCP"],
        expands: &[
            "${env:",
            "${userHome}",
            "${workspaceFolder",
            "${pathSeparator}",
            "${/}",
        ],
        ..PLAIN
    },
    Host {
        id: "vscode",
        name: "VS Code",
        mac: &[support("Code/User/mcp.json")],
        linux: &[config("Code/User/mcp.json")],
        windows: &[roaming("Code/User/mcp.json")],
        project: &[".vscode/mcp.json"],
        shape: SERVERS,
        notes: &["start the server with MCP: List Servers in the command palette"],
        expands: &[
            "${env:",
            "${input:",
            "${workspaceFolder",
            "${userHome}",
            "${config:",
            "${command:",
        ],
        ..PLAIN
    },
    Host {
        id: "vscode-insiders",
        name: "VS Code Insiders",
        mac: &[support("Code - Insiders/User/mcp.json")],
        linux: &[config("Code - Insiders/User/mcp.json")],
        windows: &[roaming("Code - Insiders/User/mcp.json")],
        project: &[".vscode/mcp.json"],
        shape: SERVERS,
        notes: &["start the server with MCP: List Servers in the command palette"],
        expands: &[
            "${env:",
            "${input:",
            "${workspaceFolder",
            "${userHome}",
            "${config:",
            "${command:",
        ],
        ..PLAIN
    },
    Host {
        id: "windsurf",
        name: "Windsurf",
        mac: &[
            home(".codeium/windsurf/mcp_config.json"),
            home(".codeium/mcp_config.json"),
        ],
        linux: &[
            home(".codeium/windsurf/mcp_config.json"),
            home(".codeium/mcp_config.json"),
        ],
        windows: &[
            home(".codeium/windsurf/mcp_config.json"),
            home(".codeium/mcp_config.json"),
        ],
        notes: &["press refresh in Windsurf's list of MCP servers"],
        expands: &["${env:"],
        ..PLAIN
    },
    Host {
        id: "zed",
        name: "Zed",
        mac: &[
            home(".config/zed/settings.json"),
            support("Zed/settings.json"),
        ],
        linux: &[config("zed/settings.json")],
        windows: &[roaming("Zed/settings.json")],
        project: &[".zed/settings.json"],
        shape: Shape {
            at: &[&["context_servers"]],
            first: &[("source", Fixed::Text("custom"))],
            ..COMMON
        },
        ..PLAIN
    },
    Host {
        id: "codex",
        name: "Codex",
        format: Format::Toml,
        mac: &[
            named_by("CODEX_HOME", "config.toml"),
            home(".codex/config.toml"),
        ],
        linux: &[
            named_by("CODEX_HOME", "config.toml"),
            home(".codex/config.toml"),
        ],
        windows: &[
            named_by("CODEX_HOME", "config.toml"),
            home(".codex/config.toml"),
        ],
        project: &[".codex/config.toml"],
        shape: Shape {
            at: &[&["mcp_servers"]],
            ..COMMON
        },
        ..PLAIN
    },
    Host {
        id: "gemini",
        name: "Gemini CLI",
        mac: &[home(".gemini/settings.json")],
        linux: &[home(".gemini/settings.json")],
        windows: &[home(".gemini/settings.json")],
        project: &[".gemini/settings.json"],
        expands: &["$"],
        ..PLAIN
    },
    Host {
        id: "goose",
        name: "Goose",
        format: Format::Yaml,
        mac: &[config("goose/config.yaml")],
        linux: &[config("goose/config.yaml")],
        windows: &[roaming("Block/goose/config/config.yaml")],
        project: &[".goose/config.yaml"],
        shape: Shape {
            at: &[&["extensions"]],
            listed: false,
            command: Command::Apart("cmd", "args"),
            env: "envs",
            first: &[
                ("enabled", Fixed::Plain("true")),
                ("type", Fixed::Text("stdio")),
                ("name", Fixed::Name),
                ("description", Fixed::Text("")),
            ],
            last: &[("timeout", Fixed::Plain("300"))],
        },
        notes: &["sessions that run already do not see it"],
        ..PLAIN
    },
    Host {
        id: "lm-studio",
        name: "LM Studio",
        mac: &[home(".lmstudio/mcp.json")],
        linux: &[home(".lmstudio/mcp.json")],
        windows: &[home(".lmstudio/mcp.json")],
        ..PLAIN
    },
    Host {
        id: "cline",
        name: "Cline",
        mac: &[support(
            "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
        )],
        linux: &[config(
            "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
        )],
        windows: &[roaming(
            "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
        )],
        ..PLAIN
    },
    Host {
        id: "cline-cli",
        name: "Cline CLI",
        mac: &[
            named_by("CLINE_DIR", "data/settings/cline_mcp_settings.json"),
            home(".cline/data/settings/cline_mcp_settings.json"),
            home(".cline/mcp.json"),
        ],
        linux: &[
            named_by("CLINE_DIR", "data/settings/cline_mcp_settings.json"),
            home(".cline/data/settings/cline_mcp_settings.json"),
            home(".cline/mcp.json"),
        ],
        windows: &[
            named_by("CLINE_DIR", "data/settings/cline_mcp_settings.json"),
            home(".cline/data/settings/cline_mcp_settings.json"),
            home(".cline/mcp.json"),
        ],
        ..PLAIN
    },
    Host {
        id: "continue",
        name: "Continue",
        format: Format::Yaml,
        mac: &[home(".continue/config.yaml")],
        linux: &[home(".continue/config.yaml")],
        windows: &[home(".continue/config.yaml")],
        project: &[".continue/mcpServers/{name}.yaml"],
        shadowed: &["config.json"],
        shape: Shape {
            listed: true,
            first: &[("name", Fixed::Name), ("type", Fixed::Text("stdio"))],
            ..COMMON
        },
        blank: "name: Local Assistant\nversion: 1.0.0\nschema: v1\n",
        notes: &["Continue uses MCP servers in agent mode only"],
        expands: &["${{"],
        ..PLAIN
    },
    Host {
        id: "opencode",
        name: "OpenCode",
        mac: OPENCODE,
        linux: OPENCODE,
        windows: OPENCODE,
        project: &[
            "opencode.json",
            "opencode.jsonc",
            ".opencode/opencode.json",
            ".opencode/opencode.jsonc",
        ],
        shape: Shape {
            at: &[&["mcp", "servers"], &["mcp"]],
            listed: false,
            command: Command::Joined("command"),
            env: "environment",
            first: &[("type", Fixed::Text("local"))],
            last: &[("enabled", Fixed::Plain("true"))],
        },
        expands: &["{env:", "{file:"],
        ..PLAIN
    },
    Host {
        id: "copilot-cli",
        name: "GitHub Copilot CLI",
        mac: COPILOT,
        linux: COPILOT,
        windows: COPILOT,
        project: &[".mcp.json", ".github/mcp.json"],
        shape: Shape {
            last: &[("tools", Fixed::Everything)],
            ..TYPED
        },
        ..PLAIN
    },
    Host {
        id: "kiro",
        name: "Kiro",
        mac: &[home(".kiro/settings/mcp.json")],
        linux: &[home(".kiro/settings/mcp.json")],
        windows: &[home(".kiro/settings/mcp.json")],
        project: &[".kiro/settings/mcp.json"],
        expands: &["${"],
        ..PLAIN
    },
    Host {
        id: "visual-studio",
        name: "Visual Studio",
        windows: &[home(".mcp.json")],
        project: &[".mcp.json"],
        shadowed: &[".github/mcp.json"],
        shape: SERVERS,
        expands: &["${input:"],
        ..PLAIN
    },
    Host {
        id: "antigravity",
        name: "Antigravity",
        mac: &[
            home(".gemini/config/mcp_config.json"),
            home(".gemini/antigravity/mcp_config.json"),
        ],
        linux: &[
            home(".gemini/config/mcp_config.json"),
            home(".gemini/antigravity/mcp_config.json"),
        ],
        windows: &[
            home(".gemini/config/mcp_config.json"),
            home(".gemini/antigravity/mcp_config.json"),
        ],
        ..PLAIN
    },
    Host {
        id: "amp",
        name: "Amp",
        mac: &[config("amp/settings.json")],
        linux: &[config("amp/settings.json")],
        windows: &[
            roaming("amp/settings.json"),
            home(".config/amp/settings.json"),
        ],
        project: &[".amp/settings.json"],
        shape: Shape {
            at: &[&["amp.mcpServers"]],
            ..COMMON
        },
        expands: &["${"],
        ..PLAIN
    },
    Host {
        id: "xcode",
        name: "Claude agent in Xcode",
        mac: &[home(
            "Library/Developer/Xcode/CodingAssistant/ClaudeAgentConfig/.claude.json",
        )],
        shape: TYPED,
        expands: &["${"],
        ..PLAIN
    },
];

const OPENCODE: &[super::place::Spot] = &[
    config("opencode/opencode.json"),
    config("opencode/opencode.jsonc"),
    config("opencode/config.json"),
];

const COPILOT: &[super::place::Spot] = &[
    named_by("COPILOT_HOME", "mcp-config.json"),
    home(".copilot/mcp-config.json"),
    perhaps("XDG_CONFIG_HOME", "copilot/mcp-config.json"),
    perhaps("XDG_CONFIG_HOME", ".copilot/mcp-config.json"),
    perhaps("XDG_CONFIG_HOME", "mcp-config.json"),
];
