"""Small files that h5py 3.16 (HDF5 2.0) wrote, packed, as no other test needs that library."""

from __future__ import annotations

import base64
import zlib


def unpacked(name: str) -> bytes:
    return zlib.decompress(base64.b85decode(_PACKED[name]))


WHOLE = ("v0", "v0_block", "v2", "v3_block", "paged")
"""By the version of their superblock; `block`: with a block of the user's before it; `paged`: with an extension."""
FIRST_OF_SEVERAL = ("family_earliest", "family_latest")
KILLED = tuple(f"killed_{kind}_{flushed}" for kind in ("earliest", "v108", "latest") for flushed in (0, 1))
"""The writer was killed; 1: after it had flushed some."""

_PACKED = {
    "v0": (
        "c-rgqaB<`1lHy_j0S*oZ76t(ZWbhvf<Tz0IF!=;1%?PDCp!5nRm^d?7P68?}05xBM8Nv^MiiZTbx`I^yM*}c>8dxAS2g4{BiNM3v"
        "5u8*a;OPhgPB5XWOF>JI9u(Ru2(<}4UGp#)K<!}yvN;$MVeaC9rBMeIcOYn12%8bchvW=KMu>nMR2__F2HMXE^)Dk*4qye+AU+cl"
        "6C*?vVh%GSEQ`pY`DDVNjMrd4e-}muxT6^gm`Bt4C>RBF1B^_}EUawo9GqO-JiL7T0)j%qBBEmA5|UEVGO_>+tS|="
    ),
    "v0_block": (
        "c-muN7zHC4bb7eB@p4IVfjJx;3@i)+5D6v-^&bl4xKQ~p{RvQ-5lVMJ=@m>cab~cb1XNrAYQ6$9gdYGE4+(O01*!gz24MCyus~>z"
        "(I^{{z{AxMoKzy<=?DT&FrlhTK}(Mw6xu5YwFy04^Dr1d?O_74IT#XQ?&5%@Q3n)vAZS(yn-Ru`<P1heh=3ea9gJoM+Rq5}FC$V8"
        "U<J}3J`)oYBSaKp4l^Sxi^!q*WWu0~*I++?7e)rSqZtaAN7MQ!7zK0#j7-cdtZeKYoLt;IynOruf<nR~qGI9_l2Xz#vH&iiFbe"
    ),
    "v2": (
        "c-rgqaB<`1lHy|G;9!7(|4<+Y6*7Q|`x;D;_xErKVq&OZ5<*r816)iDj0_B-LJTaJay-fm49pBn3_KvoL<Rw%*%0F$fPxGlePF=G"
        "17b6#Y=$|8n*kX(yPP-=b^=fhqX+{76C)#|98?ZQGxIPo3c!uzU|<EhikXW8=wfC@sGV@N3_BQxESMSD%g-<hM!_f;1*2dTkOdf-"
        "m|0la*f}`4xOsT__yq)oghfQf#3dx9q-A6QDpogC"
    ),
    "v3_block": (
        "c-muN7zLwX6pU2R>EYtW%O%Cd%)!CHzycBb4+U~O5WWFat#7;KZGR7!ASQ+iCLv^nFu=vcz{tQLDg-hJU5-bYfq|KUiGc?snaCgj"
        "w2lL8ssm7v0i+KM*myu}#+1!42Xdo0*V*O7d9V|JY8XWr7?>Ct8RejIFq)Z%fl&Z%BnJa4&{fP_96%Q{GeYfzt7X_Rbfa!&WH0|{"
        "0v-jUU=)mkQ9vGGWMXDvWn<^y<l^Sx<>MC+6cQE@6%&_`l#-T_1prFvI2i"
    ),
    "paged": (
        "c-rgqaB<`1lHy|K;9!6O0~mu1LY;wfi-g<c{5@QPm=q>iab+XpM)6t(5k??@>11L+GlPd2LjQ*Xe@0Y3rQp_{t3SYQW2j&f!e%fR"
        "69dpnQ6UBvOgSE91_oxJn|VNzi3|e3pn!yi1K1-lU$OCk*o-M~-*Gb_gHp#uB5uJRE)0y1pgLe085vLkGeZDF1%o}z9rX*L3X~a8"
        "=^ZfzU)+L&T^V4Z1vgoa1uAfnbIMP!5?BB;vO_ihgy~^i1Qm&cDRJ0pz5*%+4l|&q7)5}Q28=*Cs5p#f=3!tIfO~<1ffX2x%v>D6"
        "AZBJ{U_n*Ou!CX9g5amkvmlYT5-kZc5s17a&~P?oK&4ascgha|k25kcv#_$Ub8vET^YHTV3kV7ci-?MeOGrvd%g8c}f?*B-eyOi#"
    ),
    "family_earliest": (
        "c-rgqaB<`1lHy_j0S*oZ76t(ZWbhvf6jUJm1O`-40i_wC^a3b-fC-_71Bm^cgB{Znb2Ay3VCoscdL*D~1flk#>kkQXbp@&Zj|O07"
        "d$1tv7zLyQ08aZN5d"
    ),
    "family_latest": (
        "c-rgqaB<`1lHy|K;9!6O11PPa0-=+jeCv`b0e=sdASQ)LR$ST0SX@MyfrY`(IoL5RF*g%v5)(wnr>1lUunvX_CLxf(e>A|w#K6eF"
        "z{bM>q!?44!d&3NKsDg@Yu;<H6Mz;liU3{4$jI2j43UG;%sdQ?0zg+og1~`+73eBvE)JlJnHiyi3<@$(19vbCS>QVJ5D%IV09!07"
        "zW"
    ),
    "killed_earliest_0": (
        "c-rmDK?*=%6ot`827iAkW9yMD!*bY(U6OhdYdB}}bq9A}rn#?Ujaw<v#Sl%r&J^Xh)0%xgTlQ!J00000007|Q0=Ik<M*"
    ),
    "killed_earliest_1": (
        "c-rmLu?oUK3<luju7z3=>LyNo1c#1-3axZfQ3po{AEv&EkK$wWO={0ekQNtl5&XX;T$0`$G<PlY^(dak<U|n#ln~QPBkDnSt@X1+"
        "{ic$5Gn(gTZ6f(`yZ^hs<Gv_dchjTi%mN=Hf`3#NtDTD{Stk<jrrUSv&13oHxlEzoi*@ZMnb{}i(x=h3bypdu3z^j=Wkbpu>+4~g"
        "b#-G5`+4^JS=Q06xqE}^r~boXv(4R$)_0g%%q9Q;00000000000DR^F*BdY3"
    ),
    "killed_v108_0": ("c-rmAF%5t~5CFl0>hcK&=)Xq<Ay_~X!cc?&C^!YwGu`gFuiMn-Hf9b{o)Y=>QorBF6#xJL00000KfN+z3=j"),
    "killed_v108_1": (
        "c-rmHF$w}P5Czab32Ka5C|hmi5d^msv{)paU}-I$!7JF=?KK21;7Me!U~RF6bpjs1X5qhPm`s@bTtc~>_}m-k1gcT>@Y^r+{8|kT"
        "yHM^8&Sv&|G4Td*Nq>x3<akf}0{$j{KbCET_<&@95s{V7QneXmI$y)J-3G-7MPq?pOlQ4|$*t%Rb^7!To%1?9D-aP85fKp)5fKp)"
        "5fOFC2U<QV76"
    ),
    "killed_latest_0": ("c-rmAu?c`c5CFjwljFe#tm2Chu>rw?Ol-;KH1H}gp2>EvZCR%_w=r{w@|4K0d;McS?*IS*00000_~`}s;S0t"),
    "killed_latest_1": (
        "c-rmHF$w}P5CzabiAs!GC|hmi5d^msv{)pa;2Fd-Slf95uOV33c><3hdj)HYbyySd05%K%HN#}W<mVL1^~mSmIwy$gsOo?FSv<cT"
        "ADvAow+06@`MsEU16|S^LW}IKX<xwK<nQ~uiJ%Wi1{e`p#968~gN&z3xTag77@(*v(A9L-J56pS4pF5~U(h<Q{qqbWA|fIpA|fIp"
        "A|fK9Hu(TQgesf"
    ),
}
