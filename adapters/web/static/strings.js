// What the page itself says, in English and Chinese.

import { load, save } from "./dom.js";

const WORDS = {
  en: {
    skip: "Skip to the message box",
    conversations: "Conversations",
    close: "Close",
    new_chat: "New conversation",
    untitled: "New conversation",
    alerts: "Alerts",
    sign_out: "Sign out",
    settings: "Settings",
    settings_about: "For this conversation. What you leave empty follows the defaults.",
    older: "Show earlier messages",
    hello: "What's on your mind?",
    hello_more: "Ask anything, or drop a photo here.",
    idea_1: "Explain how tides work, for a ten-year-old",
    idea_2: "Write a polite e-mail asking for a day off",
    idea_3: "Compare SQLite and PostgreSQL in a table",
    idea_alert: "Show me a low-balance alert",
    sandbox: "Sandbox",
    sandbox_hello: "A sandbox answers here: no real model, no account, no cost. It has real answers to these:",
    find_chat: "Search conversations",
    no_chat: "No conversation with these words.",
    rename_chat: "Rename “{title}”",
    delete_chat: "Delete “{title}”",
    new_title: "New title",
    deleted: "“{title}” is deleted.",
    undo: "Undo",
    today: "Today",
    yesterday: "Yesterday",
    this_week: "Previous 7 days",
    this_month: "Previous 30 days",
    model_is: "Model: {model}",
    messages: "Messages",
    latest: "Go to the newest message",
    files: "Files to send",
    message: "Message",
    placeholder: "Message Magpie",
    commands: "Commands",
    add_file: "Add files",
    hint: "Enter to send · Shift+Enter for a new line",
    stop: "Stop the answer",
    send: "Send",
    fine: "Models make mistakes. Check what matters.",
    drop_here: "Drop files here",
    models: "Models",
    choose_model: "Choose a model",
    find_model: "Find a model",
    no_model: "No model by that name.",
    recent: "Recently updated",
    price_flat: "{price} / 1K tokens",
    price_split: "{input} in · {output} out / 1K tokens",
    price_unknown: "Price unknown",
    context: "{size} context",
    can_image: "Sees pictures",
    can_video: "Sees video",
    can_search: "Searches the web",
    can_reasoning: "Reasons",
    can_translation: "Translates",
    theme_auto: "Theme: system",
    theme_light: "Theme: light",
    theme_dark: "Theme: dark",
    language: "中文",
    thinking: "Thinking…",
    waiting: "Waiting for its turn…",
    outcome_stopped: "Stopped before it began.",
    outcome_expired: "This question got too old to be answered.",
    outcome_gone: "This answer could not be shown.",
    you: "You",
    answer: "Magpie",
    copy: "Copy",
    copied: "Copied",
    copy_answer: "Copy the answer",
    retry: "Try again",
    reasoning: "Reasoning",
    sending: "Sending…",
    send_again: "Send again",
    discard: "Discard",
    not_sent: "Not sent.",
    remove: "Remove {name}",
    uploading: "Adding {name}…",
    picture: "Picture",
    balance: "Balance {money}",
    alert_low: "The balance at the model's service is low.",
    alert_money: "The quota at the model's service is used up.",
    alert_key: "The model's service rejects the key.",
    alert_show: "Show alerts",
    offline: "Connection lost. Trying again…",
    temperature: "Temperature",
    temperature_hint: "0 to below 2. Higher is more surprising.",
    top_p: "Top P",
    top_p_hint: "Above 0, at most 1.",
    max_tokens: "Longest answer (tokens)",
    max_tokens_hint: "A longer answer is cut off, and says so.",
    seed: "Seed",
    seed_hint: "The same seed gives similar answers.",
    presence_penalty: "Presence penalty",
    presence_penalty_hint: "−2 to 2. Higher repeats less.",
    stop_words: "Stop at",
    stop_words_hint: "One word or phrase per line.",
    search: "Search the web",
    search_hint: "If the model can.",
    think: "Think first",
    think_hint: "If the model can. Slower; thoughts are paid for.",
    system: "System prompt",
    system_hint: "How the model should behave in this conversation.",
    translate: "Translate into",
    translate_hint: "Turns this conversation into a translator. Empty: off.",
    default: "Default",
    default_value: "Default: {value}",
    own: "Set here",
    reset: "Use the default",
    on: "On",
    off: "Off",
    saved: "Saved.",
    err_network: "Magpie can't be reached. Is it still running?",
    err_too_large: "The file is larger than {limit} MB.",
    err_empty_file: "The file is empty (0 bytes).",
    err_no_space: "Magpie has no space left to keep the file.",
    err_too_many_files: "At most {limit} files can be sent at once.",
    err_cannot_read: "{kind} files can't be read here yet. These can: {kinds}.",
    err_unknown_kind: "This kind of file can't be read here yet. These can: {kinds}.",
    err_too_long: "At most {limit} characters can be sent at once.",
    err_no_file: "A file of this message is not there any more. Please add it again.",
    err_starting: "Magpie is starting or stopping. Please try again in a moment.",
    err_store: "The database has a problem. Please try again; the log says more.",
    err_failed: "Something went wrong. Please try again; the log says more.",
    err_wait: "Wait until every file is added, or remove those that can't be.",
    err_not_found: "It is not there any more.",
    texts: "text",
  },
  zh: {
    skip: "跳到输入框",
    conversations: "对话",
    close: "关闭",
    new_chat: "新对话",
    untitled: "新对话",
    alerts: "提醒",
    sign_out: "退出登录",
    settings: "设置",
    settings_about: "只对这个对话生效。留空的项目使用默认值。",
    older: "显示更早的消息",
    hello: "想聊点什么？",
    hello_more: "随便问，或者把照片拖到这里。",
    idea_1: "给十岁的孩子讲讲潮汐是怎么回事",
    idea_2: "帮我写一封得体的请假邮件",
    idea_3: "用表格比较 SQLite 和 PostgreSQL",
    idea_alert: "给我看看余额不足的提醒",
    sandbox: "沙箱",
    sandbox_hello: "这里由沙箱回答：不是真正的模型，不需要账号，也不花钱。下面这几个问题有真实的回答：",
    find_chat: "搜索对话",
    no_chat: "没有包含这些词的对话。",
    rename_chat: "重命名“{title}”",
    delete_chat: "删除“{title}”",
    new_title: "新标题",
    deleted: "“{title}”已删除。",
    undo: "撤销",
    today: "今天",
    yesterday: "昨天",
    this_week: "过去 7 天",
    this_month: "过去 30 天",
    model_is: "模型：{model}",
    messages: "消息",
    latest: "回到最新消息",
    files: "待发送的文件",
    message: "消息",
    placeholder: "给 Magpie 发消息",
    commands: "命令",
    add_file: "添加文件",
    hint: "回车发送 · Shift+回车换行",
    stop: "停止回答",
    send: "发送",
    fine: "模型也会出错，重要内容请核对。",
    drop_here: "把文件放到这里",
    models: "模型",
    choose_model: "选择模型",
    find_model: "查找模型",
    no_model: "没有这个名字的模型。",
    recent: "最近更新",
    price_flat: "{price} / 千 token",
    price_split: "输入 {input} · 输出 {output} / 千 token",
    price_unknown: "价格未知",
    context: "上下文 {size}",
    can_image: "能看图片",
    can_video: "能看视频",
    can_search: "能联网搜索",
    can_reasoning: "会推理",
    can_translation: "翻译",
    theme_auto: "主题：跟随系统",
    theme_light: "主题：浅色",
    theme_dark: "主题：深色",
    language: "English",
    thinking: "正在思考…",
    waiting: "正在排队…",
    outcome_stopped: "还没开始就停止了。",
    outcome_expired: "这个问题搁置太久，不再回答。",
    outcome_gone: "这个回答无法显示。",
    you: "你",
    answer: "Magpie",
    copy: "复制",
    copied: "已复制",
    copy_answer: "复制回答",
    retry: "重试",
    reasoning: "推理过程",
    sending: "正在发送…",
    send_again: "重新发送",
    discard: "放弃",
    not_sent: "没有发出。",
    remove: "移除 {name}",
    uploading: "正在添加 {name}…",
    picture: "图片",
    balance: "余额 {money}",
    alert_low: "模型服务的余额不足。",
    alert_money: "模型服务的额度已用尽。",
    alert_key: "模型服务拒绝了密钥。",
    alert_show: "查看提醒",
    offline: "连接已断开，正在重新连接…",
    temperature: "温度",
    temperature_hint: "从 0 到 2（不含 2）。越大越出人意料。",
    top_p: "Top P",
    top_p_hint: "大于 0，不超过 1。",
    max_tokens: "最长回答（token）",
    max_tokens_hint: "超出的部分会被截断，并有说明。",
    seed: "随机种子",
    seed_hint: "种子相同，回答相近。",
    presence_penalty: "重复惩罚",
    presence_penalty_hint: "−2 到 2。越大越少重复。",
    stop_words: "停止词",
    stop_words_hint: "每行一个词或短语。",
    search: "联网搜索",
    search_hint: "需要模型支持。",
    think: "先思考再回答",
    think_hint: "需要模型支持。较慢，思考内容同样计费。",
    system: "系统提示词",
    system_hint: "希望模型在这个对话里怎样表现。",
    translate: "翻译成",
    translate_hint: "把这个对话变成翻译。留空：关闭。",
    default: "默认",
    default_value: "默认：{value}",
    own: "本对话",
    reset: "恢复默认",
    on: "开",
    off: "关",
    saved: "已保存。",
    err_network: "连不上 Magpie。它还在运行吗？",
    err_too_large: "文件超过 {limit} MB。",
    err_empty_file: "文件是空的（0 字节）。",
    err_no_space: "Magpie 没有空间保存这个文件了。",
    err_too_many_files: "一次最多发送 {limit} 个文件。",
    err_cannot_read: "这里还读不了 {kind} 文件。可以读的有：{kinds}。",
    err_unknown_kind: "这里还读不了这种文件。可以读的有：{kinds}。",
    err_too_long: "一次最多发送 {limit} 个字符。",
    err_no_file: "这条消息里的一个文件已经不在了，请重新添加。",
    err_starting: "Magpie 正在启动或停止，请稍后再试。",
    err_store: "数据库有问题，请重试；详情见日志。",
    err_failed: "出了点问题，请重试；详情见日志。",
    err_wait: "请等文件全部添加完，或移除无法添加的文件。",
    err_not_found: "它已经不在了。",
    texts: "文本",
  },
};

let current = pick();

function pick() {
  const chosen = load("magpie.language");
  if (chosen in WORDS) return chosen;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export const language = () => current;

// The tag that is told to the core: the exact one of the browser, as long as it agrees with the choice made here.
export function languageTag() {
  return navigator.language.toLowerCase().startsWith(current) ? navigator.language : current;
}

export function t(key, data = {}) {
  const text = WORDS[current][key] ?? WORDS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(data[name] ?? ""));
}

export const has = (key) => key in WORDS.en;

export function switchLanguage() {
  current = current === "zh" ? "en" : "zh";
  save("magpie.language", current);
  translatePage();
}

// Fills everything in the page that says which words belong there.
export function translatePage(root = document) {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]")) {
    node.setAttribute("aria-label", t(node.dataset.tLabel));
    if (node.tagName === "BUTTON") node.title = t(node.dataset.tLabel);
  }
  for (const node of root.querySelectorAll("[data-t-placeholder]")) node.placeholder = t(node.dataset.tPlaceholder);
}

export const number = (value) => new Intl.NumberFormat(document.documentElement.lang).format(value);

const DAY = 86_400_000;

// The group of a day in a list: Today, Yesterday, the last 7 and 30 days, then months.
export function dayOf(at) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  if (at >= midnight) return t("today");
  if (at >= midnight - DAY) return t("yesterday");
  if (at >= midnight - 7 * DAY) return t("this_week");
  if (at >= midnight - 30 * DAY) return t("this_month");
  return new Intl.DateTimeFormat(document.documentElement.lang, { month: "long", year: "numeric" }).format(at);
}

// When it was: the time alone, if that was today; else the day, with its year if that is another one; and the whole of it.
export function clockOf(at) {
  const today = at >= new Date().setHours(0, 0, 0, 0);
  const year = new Date(at).getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  const day = today ? {} : { ...year, month: "short", day: "numeric" };
  const format = (options) => new Intl.DateTimeFormat(document.documentElement.lang, options).format(at);
  return [format({ ...day, hour: "2-digit", minute: "2-digit" }), format({ dateStyle: "full", timeStyle: "short" })];
}

// What is left on an account, to the cent.
export const roundMoney = ({ amount, currency }) => money({ amount: Number(amount).toFixed(2), currency });

// Money in full: a price of 0.0003 must not be shown as 0.00.
export function money({ amount, currency }) {
  const digits = Math.max(2, (String(amount).replace(/0+$/, "").split(".")[1] ?? "").length);
  const options = { style: "currency", currency, currencyDisplay: "narrowSymbol" };
  try {
    const format = { ...options, minimumFractionDigits: 2, maximumFractionDigits: Math.min(digits, 9) };
    return new Intl.NumberFormat(document.documentElement.lang, format).format(Number(amount));
  } catch {
    return `${amount} ${currency}`;
  }
}
