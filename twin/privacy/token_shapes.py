"""What the tokens of many makers look like: prefixes and lengths as they document them for secret scanning.

Knows nothing of sentences; sources are the makers' pages and the lists of GitHub's secret scanning and gitleaks.
"""

from __future__ import annotations

import re

from twin.privacy.clues import one_of

_W, _A, _X = r"[A-Za-z0-9_\-]", "[A-Za-z0-9]", "[0-9a-f]"

TOKEN = re.compile(
    r"(?<![A-Za-z0-9_\-/+.])(?:"
    + one_of(
        # language models: OpenAI, Anthropic, OpenRouter, DeepSeek, Hugging Face, Groq, xAI, Perplexity, NVIDIA
        rf"sk-(?:proj-|svcacct-|admin-|ant-(?:api|admin|oat)[0-9]{{2}}-|or-v1-|lf-)?{_W}{{20,220}}",
        rf"hf_{_A}{{20,60}} api_org_{_A}{{30,40}} gsk_{_A}{{40,60}} xai-{_A}{{40,90}} pplx-{_A}{{40,60}}",
        rf"nvapi-{_W}{{40,80}} r8_{_A}{{30,42}}",
        # code: GitHub, GitLab, npm, PyPI, RubyGems, Docker, Postman, Sentry, Grafana
        rf"gh[pousr]_{_A}{{30,255}} github_pat_[A-Za-z0-9_]{{40,255}}",
        rf"gl(?:pat|dt|ft|rt|cbt|ptt|soat|oas|agent|imt)-{_W}{{16,300}} npm_{_A}{{30,40}} pypi-{_W}{{40,300}}",
        rf"rubygems_{_X}{{48}} dckr_(?:pat|oat)_{_W}{{20,60}} PMAK-{_X}{{24}}-{_X}{{34}} sntry[su]_{_W}{{40,300}}",
        rf"gl(?:sa|c)_{_W}{{32,200}}",
        # clouds: AWS, Alibaba, Tencent, Yandex, Google, DigitalOcean, Cloudflare's peers, Vault, Databricks
        rf"(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA)[A-Z0-9]{{16}} LTAI{_A}{{12,26}} AKID{_A}{{13,40}} AQVN{_W}{{30,50}}",
        rf"y[0-3]_{_W}{{30,80}} t1\.{_W}{{30,500}}(?:\.{_W}{{30,200}})? AIza{_W}{{33,40}} ya29\.{_W}{{20,300}}",
        rf"GOCSPX-{_W}{{20,40}} 1//0{_W}{{30,120}} do[opr]_v1_{_X}{{60,70}} hv[sbr]\.{_W}{{20,300}} dapi{_X}{{32}}",
        rf"tskey-[a-z]+-{_W}{{20,80}} sbp_{_X}{{40}} rnd_{_A}{{28,40}} fly_?v?1?_{_W}{{40,300}}",
        # messengers: Telegram bots, Slack, Discord, VK, Twilio, SendGrid, Mailgun, Mailchimp, Brevo, Resend
        rf"[0-9]{{8,11}}:AA{_W}{{30,40}} [0-9]{{8,11}}:{_W}{{35}} xox[abeoprs]-[A-Za-z0-9\-]{{10,250}}",
        rf"xapp-[0-9]-[A-Za-z0-9\-]{{20,250}} [MNO]{_W}{{22,28}}\.{_W}{{6}}\.{_W}{{27,45}} mfa\.{_W}{{80,90}}",
        rf"vk[0-9]\.a\.{_W}{{40,300}} SK{_X}{{32}} AC{_X}{{32}} SG\.{_W}{{16,40}}\.{_W}{{30,60}} key-{_X}{{32}}",
        rf"{_X}{{32}}-us[0-9]{{1,2}} xkeysib-{_X}{{64}}-{_W}{{16}} re_{_A}{{8,10}}_{_A}{{20,30}}",
        # money and shops: Stripe, YooKassa, Shopify, Square
        rf"(?:sk|rk|pk)_(?:live|test)_{_A}{{10,250}} whsec_[A-Za-z0-9+/=]{{16,80}} (?:live|test)_{_W}{{40,60}}",
        rf"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{{32}} sq0[a-z]{{3}}-{_W}{{22,50}}",
        # work: Facebook, Linear, Notion, Figma, Atlassian, Airtable, Mapbox, PostHog, Contentful
        rf"EAA{_A}{{20,300}} lin_api_{_A}{{32,48}} ntn_{_A}{{40,60}} secret_{_A}{{40,50}} fig[douhr]_{_W}{{30,60}}",
        rf"AT[AC]TT3{_W}{{40,300}} pat{_A}{{14}}\.{_X}{{64}} [sp]k\.eyJ{_W}{{20,200}}\.{_W}{{10,60}} phc_{_A}{{40,50}}",
        rf"CFPAT-{_W}{{40,50}}",
        # JSON web tokens
        rf"eyJ{_W}{{8,2000}}\.eyJ?{_W}{{4,4000}}(?:\.{_W}{{8,1000}})?",
    )
    + r")(?![A-Za-z0-9_])"
)
"""Finds a token in text as it was written; letter case matters."""
